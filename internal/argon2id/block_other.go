//go:build !amd64 || !gc || purego

package argon2id

const quick = false

func compress(_, _, _, _ *block, _ bool) { panic("argon2id: the library's is used here") }
