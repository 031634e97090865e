# What a serving replica may do: use the keys of tenants. It cannot read, make, change, rotate or delete one.
#
# "update" and not "create": with "create", encrypting under a name that is not there would make a key.
# The mount is "transit"; if yours is another, change the paths.

path "transit/sign/gatehouse-*" {
  capabilities = ["update"]
}

path "transit/hmac/gatehouse-*" {
  capabilities = ["update"]
}

path "transit/encrypt/gatehouse-*" {
  capabilities = ["update"]
}

path "transit/decrypt/gatehouse-*" {
  capabilities = ["update"]
}

# Staying logged in.

path "auth/token/renew-self" {
  capabilities = ["update"]
}

path "auth/token/lookup-self" {
  capabilities = ["read"]
}
