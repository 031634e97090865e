// Package password is how a password is read, judged, hashed and checked. It knows no HTTP, no SQL and no Vault: the
// keyed step is a function it is given.
//
//	raw --Parse--> Password --Policy.Check--> set --Hasher.Hash----> Hash (stored)
//	                   |                                               |
//	                   '------------------------ Hasher.Verify <-------'
//
//	Hash = PHC( Pepper( purpose | user | argon2id(password, salt) ) )
//	                 outside of the Gate      inside the Gate
package password
