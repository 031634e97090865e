package custody

import (
	"strconv"
	"strings"
)

// SealedVersion is the version of the sealing key that a value was sealed under, as its text says; zero where it does not. A
// custodian checks it only when it opens the value.
func SealedVersion(sealed string) int {
	_, rest, _ := strings.Cut(sealed, ":v") // vault:v3:..., software:v3:...
	number, _, _ := strings.Cut(rest, ":")
	version, err := strconv.Atoi(number)
	if err != nil || version < 1 {
		return 0
	}
	return version
}
