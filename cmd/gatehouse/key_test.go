package main

import "testing"

// keysAreRotated goes through the commands on the keys of a tenant.
func keysAreRotated(t *testing.T, runs func(pattern, input string, args ...string) []string, refuses func(want, input string, args ...string)) {
	t.Helper()
	const kid, at = `([A-Za-z0-9_-]{43})`, `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`
	first := runs(`^KID +ALGORITHM +STATE +SINCE +NEXT\n`+kid+` +EdDSA +active +`+at+` +-\n$`, "", "key", "list", "initech")[1]
	refuses("must be ES256, EdDSA or RS256", "", "key", "rotate", "initech", "--algorithm", "HS256")
	next := runs(`^key +`+kid+`\nalgorithm +ES256\npublished +`+at+`\nsigns from +`+at+`\n$`, "", "key", "rotate", "initech", "--algorithm", "ES256")[1]
	runs(`^key +`+next+`\n`, "", "key", "rotate", "initech")
	refuses("a rotation to another algorithm is under way", "", "key", "rotate", "initech", "--algorithm", "RS256")
	runs(`(?m)^`+next+` +ES256 +published +`+at+` +active at `+at+`$`, "", "key", "list", "initech")
	refuses(`initech has no key "nobodys"`, "", "key", "revoke", "initech", "nobodys")
	runs(`^revoked +`+first+`\nsigns +`+next+`\n\nThe key that signs now was not published for its time`, "", "key", "revoke", "initech", first)
	runs(`^revoked +`+first+`\n$`, "", "key", "revoke", "initech", first)
	runs(`^\{"keys":\[\{.*"kid":"`+first+`".*"kid":"`+next+`".*\]\}\n$`, "", "key", "list", "initech", "--jwks")

	runs(`^initech seals with version 2\n$`, "", "key", "rotate-sealing", "initech")
	runs(`^TENANT +SECRETS SEALED ANEW +PASSWORDS WAITING\ninitech +0 +\d\n$`, "", "key", "rewrap", "initech")
	runs(`(?m)^platform +0 +0$`, "", "key", "rewrap", "--all")
	refuses("wanted is: gatehouse key rewrap SLUG | --all", "", "key", "rewrap")
	refuses("wanted is: gatehouse key rewrap SLUG | --all", "", "key", "rewrap", "initech", "--all")
}
