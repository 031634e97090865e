package password

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgtype"
)

const secret = "hunter2hunter2hunter2"

// Nothing prints a secret: not under any verb, not inside of other values, not through an encoder or a log.
func TestRedacted(t *testing.T) {
	pw := parsed(t, secret)
	phc := PHC{DefaultParams, 1, []byte(secret)[:16], []byte(secret)}
	hash := phc.Hash()
	type hidden struct{ pw Password }
	var out bytes.Buffer
	for name, v := range map[string]any{
		"password": pw, "pointer": &pw, "slice": []Password{pw}, "map": map[string]Password{"k": pw},
		"exported": struct{ P Password }{pw}, "unexported": hidden{pw}, "pointer to unexported": &hidden{pw},
		"hash": hash, "hash pointer": &hash, "hashes": []Hash{hash},
		"hash field": struct{ H Hash }{hash}, "PHC": phc, "PHC pointer": &phc, "PHC field": struct{ P PHC }{phc},
	} {
		out.Reset()
		for _, verb := range "vsqxXdtbcoOUeEfFgGT" {
			for _, flags := range []string{"", "+", "#", " ", "0", "-40", "40.10", "# "} {
				fmt.Fprintf(&out, "%"+flags+string(verb)+"\n", v)
			}
		}
		if j, err := json.Marshal(v); err == nil {
			out.Write(j)
		}
		if x, err := xml.Marshal(v); err == nil {
			out.Write(x)
		}
		for _, h := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
			slog.New(h).Info("login", "value", v, slog.Group("g", "value", v))
		}
		fmt.Fprintln(&out, fmt.Errorf("failed with %v", v))
		leaks(t, name, out.String())
	}
	if got := fmt.Sprintf("%v %+v %#v %s %q %x", pw, pw, pw, pw, pw, pw); got != strings.TrimSpace(strings.Repeat("[redacted] ", 6)) {
		t.Errorf("password: %s", got)
	}
	// fmt asks no Formatter about %p, so there only the pointer inside of Password helps.
	leaks(t, "password under %p", fmt.Sprintf("%"+"p %"+"p", pw, hidden{pw})) //nolint:staticcheck // the wrong verb is the point
	if got := fmt.Sprintf("%v %+v %#v %s %q %x", hash, hash, hash, hash, hash, hash); got != strings.TrimSpace(strings.Repeat("[redacted] ", 6)) {
		t.Errorf("hash: %s", got)
	}
}

// leaks looks for the secret as text, hex, decimal bytes and base64.
func leaks(t *testing.T, name, out string) {
	t.Helper()
	for _, s := range []string{"hunter", "HUNTER", "68756e746572", "68756E746572", "68 75 6e", "104 117 110", "aHVudGVy", "$argon2id"} {
		if i := strings.Index(out, s); i >= 0 {
			t.Errorf("%s leaks %q: ...%s", name, s, out[max(0, i-40):min(len(out), i+40)])
		}
	}
}

// Redaction must not reach the database: a type with a String method would be stored as [redacted].
func TestHashIsStored(t *testing.T) {
	hash, types := PHC{DefaultParams, 1, []byte(secret)[:16], []byte(secret)}.Hash(), pgtype.NewMap()
	for _, format := range []int16{pgtype.TextFormatCode, pgtype.BinaryFormatCode} {
		stored, err := types.Encode(pgtype.TextOID, format, hash, nil)
		if err != nil || string(stored) != string(hash) {
			t.Errorf("stored as %s, %v", stored, err)
		}
		var back Hash
		if err := types.Scan(pgtype.TextOID, format, stored, &back); err != nil || back != hash {
			t.Errorf("read as %s, %v", string(back), err)
		}
	}
}

// A Password is made by Parse alone, not by a decoder that would skip the normalising.
func TestPasswordIsNotDecoded(t *testing.T) {
	var pw Password
	if err := json.Unmarshal([]byte(`"correct horse"`), &pw); err == nil { //nolint:staticcheck // that it cannot be decoded is the point
		t.Error("JSON decoded a password")
	}
}
