// Package password is how a password is read, judged, hashed and checked. It knows no HTTP, no SQL and no Vault: the
// keyed step is a function it is given.
//
//	raw --Parse--> Password --Policy.Check--> set --Hasher.Hash----> Hash (stored)
//	                   |                                               |
//	                   '------------------------ Hasher.Verify <-------'
//
//	Hash = PHC( Pepper( purpose | tenant | user | argon2id(password, salt) ) )
//	            outside of the gate      inside of the gate (package fairshare)
//
// # Traps
//
//   - A password has many spellings (é is one code point or two; phones send full width). Parse alone makes a Password,
//     in one form, so no path can hash or compare another. The tables are those of golang.org/x/text: Unicode never
//     changes the form of an assigned character, but one that was unassigned when its owner chose it may change.
//   - Whoever looks a user up and finds none must call Verify all the same, with the zero Hash. A login that answers
//     without a hash tells who exists, by time.
//   - The time of a hash is that of its parameters. After DefaultParams was raised a failed login on an old hash takes another
//     time than on nobody's, until its owner has signed in and it was made anew. For imported hashes see Imports.
//   - Hash and Verify take tens of milliseconds and a round trip to the custodian: never inside of a transaction.
//   - argon2id cannot be interrupted. Who goes away while waiting frees the place at once, who goes away later has the
//     hash computed for nobody.
//
// # Memory and CPU, as measured
//
// On 2 cores, with 64 logins at a time and 2 slots, the process peaked at 116 MB when the rest of its heap was empty, at 214
// MB with 50 MB of other live heap, at 552 MB with 200: about twice the live heap with one 19 MiB block per slot, which
// is the collector's ordinary pace and independent of how many wait. Without the gate the same 64 took 2.5 GB. So
// nothing is pooled and no collection is forced. GOMEMLIMIT is worth setting, to nine tenths of the container's
// limit: at the live heap plus 80 MiB it brought 552 MB down to 290; that tight, pages go to and fro and a hash costs up
// to a third more. Imported hashes of 256 MiB take 1.1 GB on two slots, those of 64 MiB 270 MB.
//
// The block comes from the heap at every hash, because the library cannot be given one. Keeping it would take a copy of
// the library's code; docs/benchmarks.md says what that would save. Inside one process Verify costs 1.00 to 1.02 of one
// bare argon2.IDKey, which allocates too (BenchmarkVerifyOverBare, the custodian not counted). BenchmarkNobody shows that
// nobody costs as much.
package password
