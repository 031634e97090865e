# What provisioning may do: make, read (public halves only), rotate and delete the keys of tenants. It cannot sign or
# decrypt with them, and it cannot make a key whose private half can be taken out.
#
# A policy's "*" stands at the end only, so this one rule covers the key itself, /config (which deletion needs) and
# /rotate. The mount is "transit"; if yours is another, change the path.

path "transit/keys/gatehouse-*" {
  capabilities = ["create", "read", "update", "delete"]

  denied_parameters = {
    "exportable"             = []
    "allow_plaintext_backup" = []
  }
}

# Staying logged in.

path "auth/token/renew-self" {
  capabilities = ["update"]
}

path "auth/token/lookup-self" {
  capabilities = ["read"]
}
