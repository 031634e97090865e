package breach

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func hashOf(i int) [sha1.Size]byte { return sha1.Sum(fmt.Append(nil, "password", i)) }

// list writes a list of n hashes in the form of Have I Been Pwned.
func list(t *testing.T, n int) string {
	t.Helper()
	var b strings.Builder
	for i := range n {
		sum := hashOf(i)
		fmt.Fprintf(&b, "%X:%d\r\n", sum, i%10+1)
	}
	path := filepath.Join(t.TempDir(), "hashes.txt")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func build(t *testing.T, o BuildOptions) *Filter {
	t.Helper()
	o.Out, o.Progress = filepath.Join(t.TempDir(), "filter"), func(int64, int64) {}
	if _, err := Build(o); err != nil {
		t.Fatal(err)
	}
	f, err := Open(o.Out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func contains(t *testing.T, f *Filter, sum [sha1.Size]byte) bool {
	t.Helper()
	found, err := f.Contains(sum)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// Every hash of the list is found, and of others no more than the rate the filter was made for.
func TestAFilterFindsAllAndFewOthers(t *testing.T) {
	t.Parallel()
	const n, asked = 100_000, 200_000
	in := list(t, n)
	for _, rate := range []float64{0.1, 0.01, 0.001, 0.0001} {
		f := build(t, BuildOptions{In: in, Rate: rate, Memory: 1 << 30})
		if f.Hashes() != n {
			t.Errorf("rate %g: made of %d hashes", rate, f.Hashes())
		}
		for i := range n {
			if !contains(t, f, hashOf(i)) {
				t.Fatalf("rate %g: hash %d is not found", rate, i)
			}
		}
		alarms := 0
		for i := range asked {
			if contains(t, f, hashOf(n+i)) {
				alarms++
			}
		}
		t.Logf("rate %g: %d blocks, %d probes, %.6f false alarms", rate, f.blocks, f.probes, float64(alarms)/asked)
		if most := asked*rate*1.15 + 12; float64(alarms) > most {
			t.Errorf("rate %g: %d false alarms of %d", rate, alarms, asked)
		}
	}
}

// However little of the filter is held at a time, it is the same filter.
func TestAFilterDoesNotDependOnMemory(t *testing.T) {
	t.Parallel()
	in, dir := list(t, 5000), t.TempDir()
	var first []byte
	for _, memory := range []int64{1 << 30, 4096, 1000, 64} {
		out := filepath.Join(dir, fmt.Sprint(memory))
		var last, of int64
		_, err := Build(BuildOptions{In: in, Out: out, Rate: 0.01, Memory: memory, Progress: func(a, b int64) { last, of = a, b }})
		if err != nil {
			t.Fatal(err)
		}
		if last != of || last == 0 {
			t.Errorf("%d bytes: progress ends at %d of %d", memory, last, of)
		}
		text, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = text
		}
		if !bytes.Equal(text, first) {
			t.Errorf("%d bytes: another filter", memory)
		}
	}
}

func TestRareHashesAreLeftOut(t *testing.T) {
	t.Parallel()
	f := build(t, BuildOptions{In: list(t, 1000), Rate: 0.000001, MinCount: 5, Memory: 1 << 20})
	if f.Hashes() != 600 || !contains(t, f, hashOf(4)) || contains(t, f, hashOf(3)) {
		t.Errorf("%d hashes", f.Hashes())
	}
}

// A file in which any one byte is another, or that is cut or longer, is not opened.
func TestADamagedFileIsNotOpened(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out := filepath.Join(dir, "filter")
	if _, err := Build(BuildOptions{In: list(t, 100), Out: out, Rate: 0.01, Memory: 1 << 20, Progress: func(int64, int64) {}}); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string, text []byte) {
		t.Helper()
		path := filepath.Join(dir, "damaged")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if f, err := Open(path); err == nil {
			f.Close()
			t.Errorf("%s: it is opened", what)
		}
	}
	for i := range whole {
		damaged := bytes.Clone(whole)
		damaged[i] ^= 1
		refused(fmt.Sprintf("byte %d", i), damaged)
	}
	refused("nothing", nil)
	refused("the header alone", whole[:headerSize])
	refused("one byte less", whole[:len(whole)-1])
	refused("one byte more", append(bytes.Clone(whole), 0))
	if _, err := Open(filepath.Join(dir, "none")); err == nil {
		t.Error("a file that is not there is opened")
	}
}

func TestAListThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	sum := hashOf(1)
	good := strings.ToLower(hex.EncodeToString(sum[:]))
	for text, ok := range map[string]bool{
		good: true, good + "\n": true, strings.ToUpper(good) + ":12\r\n\r\n": true,
		"": false, "\n": false, good[:39]: false, good + "0": false, good + ":": false, good + ":x": false, "password\n": false,
		strings.Repeat("z", 40): false, good + "\n" + strings.Repeat("a", 2<<20): false,
	} {
		dir := t.TempDir()
		in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
		if err := os.WriteFile(in, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Build(BuildOptions{In: in, Out: out, Rate: 0.01, Memory: 1 << 20, Progress: func(int64, int64) {}})
		if (err == nil) != ok {
			t.Errorf("%.50q: %v", text, err)
		}
		if left, _ := os.ReadDir(dir); !ok && len(left) != 1 {
			t.Errorf("%.50q: %d files are left", text, len(left))
		}
	}
	for _, rate := range []float64{0, -1, 1, 0.5, 1e-9} {
		if _, _, err := plan(100, rate); err == nil {
			t.Errorf("a rate of %g is taken", rate)
		}
	}
}

// What docs/import.md says about the size of the usual list.
func TestTheSizeOfAFilter(t *testing.T) {
	t.Parallel()
	for rate, most := range map[float64]float64{0.01: 1.3, 0.001: 2.1} {
		blocks, probes, err := plan(847_223_402, rate)
		if err != nil {
			t.Fatal(err)
		}
		size := float64(blocks*blockSize) / (1 << 30)
		t.Logf("rate %g: %.2f GiB, %d probes", rate, size, probes)
		if size > most {
			t.Errorf("rate %g: %.2f GiB", rate, size)
		}
	}
}
