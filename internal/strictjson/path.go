package strictjson

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// maxName is how much of a client's own name is repeated to it, in bytes.
const maxName = 64

// path is where a value stands; it is spelled out only for an error.
type path struct {
	up    *path
	name  string
	index int  // of an array element, when name is empty
	loose bool // the name is the client's: unknown, or of a map
}

func (p *path) String() string {
	if p == nil {
		return ""
	}
	up := p.up.String()
	switch {
	case p.name == "" && !p.loose:
		return up + "[" + strconv.Itoa(p.index) + "]"
	case up == "":
		return p.name
	}
	return up + "." + p.name
}

// bounded reports whether the type alone, and not the client, decides how many such paths there are.
func (p *path) bounded() bool {
	for ; p != nil; p = p.up {
		if p.name == "" || p.loose {
			return false
		}
	}
	return true
}

// shown is a client's name as it is repeated to the client.
func shown(name []byte) string {
	if len(name) > maxName {
		name = name[:maxName]
		return strings.ToValidUTF8(string(name), "") + "…"
	}
	return string(name)
}

// dotted turns a JSON Pointer (RFC 6901) into a path as the fields have it.
func dotted(ptr jsontext.Pointer) string {
	var b strings.Builder
	for token := range ptr.Tokens() {
		if _, err := strconv.ParseUint(token, 10, 32); err == nil {
			b.WriteString("[" + token + "]")
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(shown([]byte(token)))
	}
	return b.String()
}
