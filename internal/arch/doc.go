// Package arch holds the rules of the source tree as tests: which way imports point, which file may touch what, what
// things may be called. It has no code of its own and nothing imports it. It reads the sources as text with go/parser
// and knows nothing of what they do.
//
// Every rule says its reason when it fails. A rule that is in the way is changed here, with its new reason, in the
// same commit as the code that needs it.
package arch
