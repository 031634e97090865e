//go:build gc && !purego

package argon2id

import "golang.org/x/sys/cpu"

var quick = cpu.X86.HasSSSE3 && cpu.X86.HasSSE41

// compress is G of RFC 9106 section 3.5; over tells to combine with what is there. Scratch belongs to the caller and not
// to the stack, where it may lie across cache lines, which doubles the time.
func compress(out, x, y, scratch *block, over bool) {
	mixBlocksSSE2(scratch, x, y, &zero)
	blamkaSSE4(scratch)
	if over {
		xorBlocksSSE2(out, x, y, scratch)
	} else {
		mixBlocksSSE2(out, x, y, scratch)
	}
}

//go:noescape
func mixBlocksSSE2(out, a, b, c *block)

//go:noescape
func xorBlocksSSE2(out, a, b, c *block)

//go:noescape
func blamkaSSE4(b *block)
