package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/sync/errgroup"

	"github.com/gatehouse-id/gatehouse/tenancy/audit"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

// export is the tenant's log as a file.
func (tt testTenant) export(tb testing.TB, query string) string {
	tb.Helper()
	a := tt.do(tb, request{method: "GET", host: tt.host, path: "/v1/audit-log/export" + query, key: tt.key}).want(tb, 200, "")
	if got := a.header.Get("Content-Type"); got != "application/x-ndjson" {
		tb.Fatalf("Content-Type is %s", got)
	}
	return string(a.body)
}

// published are the tenant's public keys as everybody can fetch them.
func (tt testTenant) published(tb testing.TB) audit.Keys {
	tb.Helper()
	keys, err := audit.ParseKeys(tt.do(tb, request{method: "GET", host: tt.host, path: "/.well-known/jwks.json"}).want(tb, 200, "").body)
	if err != nil {
		tb.Fatal(err)
	}
	return keys
}

// past moves the newest n entries so many days back, as far as the search by time can see.
func (tt testTenant) past(tb testing.TB, n, days int) {
	tb.Helper()
	tt.exec(tb, `update audit_log set created_at = created_at - make_interval(days => $2) where seq > (select max(seq) from audit_log) - $1`, n, days)
}

// today is a moment of today that no entry of a test is far from.
func today() time.Time { return time.Now().UTC() }

func day(ago int) string { return today().AddDate(0, 0, -ago).Format(time.DateOnly) }

// threeDays is a tenant with a log of three days, of which the first two are sealed. Each has as many entries as users were made.
func threeDays(tb testing.TB, tp *testPlatform) testTenant {
	tb.Helper()
	tt := tp.newTenant(tb)
	tt.past(tb, len(tt.chain(tb)), 3)
	for _, ago := range []int{3, 2} {
		for range 3 {
			tt.newUser(tb)
		}
		tt.past(tb, 3, ago)
		if err := tt.audit.SealDay(tb.Context(), tt.record(tb), day(ago)); err != nil {
			tb.Fatal(err)
		}
	}
	for range 3 {
		tt.newUser(tb)
	}
	return tt
}

func TestAnExportIsVerifiedWithThePublishedKeysAndNothingElse(t *testing.T) {
	t.Parallel()
	tt := threeDays(t, sharedPlatform(t))
	all := int64(len(tt.chain(t)))
	r, err := audit.Verify(strings.NewReader(tt.export(t, "")), tt.published(t))
	if err != nil {
		t.Fatal(err)
	}
	if r.Tenant.String() != tt.id || r.First != 1 || r.Last != all || r.Covered() != all || len(r.Seals) != 3 {
		t.Errorf("%d entries, of which were verified: %+v", all, r)
	}
	if got := []string{r.Seals[0].Day, r.Seals[1].Day, r.Seals[2].Day}; !slices.Equal(got, []string{day(3), day(2), ""}) {
		t.Errorf("sealed are %q", got)
	}
	if r.Seals[0].Seq != all-6 || r.Seals[1].Seq != all-3 {
		t.Errorf("the days end at %d and %d of %d", r.Seals[0].Seq, r.Seals[1].Seq, all)
	}
}

// A piece of a log ends at a seal, so that what is asked for is covered; what is behind it is no longer there.
func TestAPieceOfALogIsASegmentThatEndsAtASeal(t *testing.T) {
	t.Parallel()
	tt := threeDays(t, sharedPlatform(t))
	all := int64(len(tt.chain(t)))
	moment := func(ago int) string { return today().AddDate(0, 0, -ago).Truncate(24 * time.Hour).Format(time.RFC3339) }
	for name, c := range map[string]struct {
		query       string
		first, last int64
	}{
		"a day":                  {"?from=" + moment(2) + "&to=" + moment(1), all - 5, all - 3},
		"up to a day":            {"?to=" + moment(2), 1, all - 6},
		"from a day on":          {"?from=" + moment(1), all - 2, all},
		"some hours":             {"?from=" + moment(3) + "&to=" + today().AddDate(0, 0, -3).Add(-time.Second).Format(time.RFC3339), 0, 0},
		"a time before all":      {"?to=2001-01-01T00:00:00Z", 1, 0},
		"a time that is to come": {"?from=2101-01-01T00:00:00Z", all + 1, all},
	} {
		r, err := audit.Verify(strings.NewReader(tt.export(t, c.query)), tt.published(t))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if c.first != 0 && (r.First != c.first || r.Last != c.last) {
			t.Errorf("%s: entries %d to %d, want %d to %d", name, r.First, r.Last, c.first, c.last)
		}
	}
}

func TestAFileThatWasAlteredIsNotVerified(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	tt := threeDays(t, tp)
	file, keys := tt.export(t, ""), tt.published(t)
	other := tp.newTenant(t)
	lines := func() []string { return strings.SplitAfter(strings.TrimSuffix(file, "\n"), "\n") }
	first := slices.IndexFunc(lines(), func(l string) bool { return strings.HasPrefix(l, `{"kind":"entry"`) })
	sealed := slices.IndexFunc(lines(), func(l string) bool { return strings.HasPrefix(l, `{"kind":"seal"`) })
	token, _ := other.signIn(t)
	foreign := strings.SplitAfter(other.export(t, ""), "\n")
	foreignSeal := foreign[slices.IndexFunc(foreign, func(l string) bool { return strings.HasPrefix(l, `{"kind":"seal"`) })]
	for name, c := range map[string]struct {
		change func([]string) []string
		says   string
	}{
		"an entry was taken out":     {func(l []string) []string { return slices.Delete(l, first+2, first+3) }, "where 3 comes next"},
		"the first was taken out":    {func(l []string) []string { return slices.Delete(l, first, first+1) }, "where 1 comes next"},
		"two were swapped":           {func(l []string) []string { l[first], l[first+1] = l[first+1], l[first]; return l }, "where 1 comes next"},
		"a word was changed":         {func(l []string) []string { l[first+1] = strings.Replace(l[first+1], "created", "deleted", 1); return l }, "altered"},
		"an entry is there twice":    {func(l []string) []string { return slices.Insert(l, first, l[first]) }, "where 2 comes next"},
		"a seal was taken out":       {func(l []string) []string { return slices.Delete(l, len(l)-2, len(l)-1) }, "no seal covers"},
		"a seal was moved":           {func(l []string) []string { l[sealed], l[sealed+1] = l[sealed+1], l[sealed]; return l }, "altered after it was sealed"},
		"a seal is another tenant's": {func(l []string) []string { l[sealed] = foreignSeal; return l }, "not one of the tenant's that are trusted"},
		"a token stands for a seal":  {func(l []string) []string { l[sealed] = `{"kind":"seal","jws":"` + token + `"}` + "\n"; return l }, "is not a seal"},
		"a signature was changed": {func(l []string) []string {
			l[sealed] = l[sealed][:len(l[sealed])-10] + "AAAA" + l[sealed][len(l[sealed])-6:]
			return l
		}, "seal that is not signed"},
		"the end was cut off":        {func(l []string) []string { return l[:len(l)-1] }, "cut off"},
		"the second half is missing": {func(l []string) []string { return l[:sealed+1] }, "cut off"},
		"the end counts wrong":       {func(l []string) []string { l[len(l)-1] = `{"kind":"end","entries":1}` + "\n"; return l }, "there are"},
		"something follows":          {func(l []string) []string { return append(l[:len(l)-1], l[len(l)-1]+"\n", l[first]) }, "does not belong there"},
		"it begins later":            {func(l []string) []string { l[0] = strings.Replace(l[0], `"first_seq":1`, `"first_seq":2`, 1); return l }, "wrong place"},
		"it is another tenant's":     {func(l []string) []string { l[0] = strings.Replace(l[0], tt.id, other.id, 1); return l }, "not of tenant"},
		"there is no header":         {func(l []string) []string { return l[1:] }, "does not belong there"},
		"it is no such file":         {func([]string) []string { return []string{"hello\n"} }, "is not JSON"},
		"it is empty":                {func([]string) []string { return nil }, "is empty"},
	} {
		changed := strings.Join(c.change(lines()), "")
		if _, err := audit.Verify(strings.NewReader(changed), keys); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
	if _, err := audit.Verify(strings.NewReader(file), keys); err != nil {
		t.Errorf("unaltered: %v", err)
	}
}

// Whoever can make a file can make keys for it, too; only the keys that others know to be the tenant's tell.
func TestAFileForgedWithOtherKeysIsTakenByItsOwnKeysAlone(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public := custody.PublicKey{Version: 1, Algorithm: custody.ES256, Key: &key.PublicKey}
	jwk, err := public.JWK()
	if err != nil {
		t.Fatal(err)
	}
	var forged strings.Builder
	for line := range strings.Lines(tt.export(t, "")) {
		switch {
		case strings.HasPrefix(line, `{"kind":"key"`):
			line = `{"kind":"key","jwk":` + string(jwk) + "}\n"
		case strings.HasPrefix(line, `{"kind":"seal"`):
			line = `{"kind":"seal","jws":"` + sealAgain(t, line, key, public.KeyID()) + `"}` + "\n"
		}
		forged.WriteString(line)
	}
	if _, err := audit.Verify(strings.NewReader(forged.String()), nil); err != nil {
		t.Errorf("by its own keys: %v", err)
	}
	if _, err := audit.Verify(strings.NewReader(forged.String()), tt.published(t)); err == nil || !strings.Contains(err.Error(), "not one of the tenant's") {
		t.Errorf("by the tenant's: %v, want that the key is not one of them", err)
	}
}

func sealAgain(t *testing.T, line string, key *ecdsa.PrivateKey, kid string) string {
	t.Helper()
	var l struct{ JWS string }
	if err := json.Unmarshal([]byte(line), &l); err != nil {
		t.Fatal(err)
	}
	claims := jwt.MapClaims{}
	was, _, err := jwt.NewParser(jwt.WithJSONNumber()).ParseUnverified(l.JWS, claims)
	if err != nil {
		t.Fatal(err)
	}
	again := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	again.Header["typ"], again.Header["kid"] = was.Header["typ"], kid
	signed, err := again.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestASealIsNoToken(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	for line := range strings.Lines(tt.export(t, "")) {
		var l struct{ JWS string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		if l.JWS == "" {
			continue
		}
		tt.do(t, request{method: "GET", host: tt.host, path: "/v1/users/me/profile", bearer: l.JWS}).want(t, 401, "unauthenticated")
		// Nor to somebody who knows the keys and forgets to look at the type.
		claims := jwt.MapClaims{}
		if _, _, err := jwt.NewParser().ParseUnverified(l.JWS, claims); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"iss", "sub", "aud", "exp", "jti", "sid"} {
			if claims[name] != nil {
				t.Errorf("a seal has %s", name)
			}
		}
		return
	}
	t.Fatal("no seal")
}

func TestADayIsSealedOnceHoweverManyReplicasDoIt(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	tenant := tt.record(t)
	tt.past(t, len(tt.chain(t)), 1)
	var group errgroup.Group
	for range 50 {
		group.Go(func() error { return tt.audit.SealDay(t.Context(), tenant, day(1)) })
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if n := tt.count(t, `select count(*) from audit_seals`); n != 1 {
		t.Errorf("%d seals, want one", n)
	}
	// A day without entries of its own needs none, nor does one that is sealed.
	for _, d := range []string{day(1), day(0)} {
		if err := tt.audit.SealDay(t.Context(), tenant, d); err != nil {
			t.Fatal(err)
		}
	}
	if n := tt.count(t, `select count(*) from audit_seals`); n != 1 {
		t.Errorf("%d seals after days without entries, want one", n)
	}
}

// The key does not vouch for a log that is no longer what it vouched for before.
func TestALogThatWasAlteredIsNotSealed(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"a hash was made again": `update audit_log set hash = sha256('x') where seq = (select max(seq) from audit_seals)`,
		"the end was taken off": `delete from audit_log where seq >= (select max(seq) from audit_seals)`,
		"all was taken away":    `delete from audit_log`,
	} {
		tt := threeDays(t, sharedPlatform(t))
		tt.past(t, 3, 1)
		tt.exec(t, sql)
		if err := tt.audit.SealDay(t.Context(), tt.record(t), day(1)); !errors.Is(err, audit.ErrBroken) {
			t.Errorf("%s: %v, want ErrBroken", name, err)
		}
		if n := tt.count(t, `select count(*) from audit_seals`); n != 2 {
			t.Errorf("%s: %d seals, want the two that were", name, n)
		}
	}
}

func TestARoundSealsWhoHasSomethingToSeal(t *testing.T) {
	t.Parallel()
	tp := startPlatform(t)
	busy, idle := tp.newTenant(t), tp.newTenant(t)
	for _, tt := range []testTenant{busy, idle} {
		tt.past(t, len(tt.chain(t)), 1)
	}
	sealer := func() *audit.Sealer {
		return &audit.Sealer{Log: tp.audit, Directory: tp.directory, Logger: tp.log, Pace: time.Nanosecond}
	}
	if err := sealer().Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	busy.newUser(t)
	busy.past(t, 1, -1) // of tomorrow, which is over in two days
	later := *tp.audit
	later.Now = func() time.Time { return time.Now().AddDate(0, 0, 2) }
	next := &audit.Sealer{Log: &later, Directory: tp.directory, Logger: tp.log, Pace: time.Nanosecond}
	for range 2 {
		if err := next.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		tt   testTenant
		want int
	}{"busy": {busy, 2}, "idle": {idle, 1}} {
		if n := c.tt.count(t, `select count(*) from audit_seals`); n != c.want {
			t.Errorf("the %s tenant has %d seals, want %d", name, n, c.want)
		}
	}
}

// A tenant whose key is gone has no seals any more, and that is not the trouble of those who come after it.
func TestATenantThatCannotBeSealedLeavesTheOthersTheirSeals(t *testing.T) {
	t.Parallel()
	tp := startPlatform(t)
	keyless, next := tp.newTenant(t), tp.newTenant(t) // ids are in the order of making, and so is a round
	for _, tt := range []testTenant{keyless, next} {
		tt.past(t, len(tt.chain(t)), 1)
	}
	if err := tp.keymaster.Destroy(t.Context(), keyless.record(t).ID); err != nil {
		t.Fatal(err)
	}
	sealer := &audit.Sealer{Log: tp.audit, Directory: tp.directory, Logger: tp.log, Pace: time.Nanosecond}
	if err := sealer.Round(t.Context()); err == nil || !strings.Contains(err.Error(), keyless.id) {
		t.Errorf("the round does not say whose key is gone: %v", err)
	}
	for name, c := range map[string]struct {
		tt   testTenant
		want int
	}{"keyless": {keyless, 0}, "next": {next, 1}} {
		if n := c.tt.count(t, `select count(*) from audit_seals`); n != c.want {
			t.Errorf("the %s tenant has %d seals, want %d", name, n, c.want)
		}
	}
}

func TestAnExportIsOfOneTenantAndTakesNoFilters(t *testing.T) {
	t.Parallel()
	tp := sharedPlatform(t)
	tt, other := tp.newTenant(t), tp.newTenant(t)
	get := func(query, key string) answer {
		return tt.do(t, request{method: "GET", host: tt.host, path: "/v1/audit-log/export" + query, key: key})
	}
	get("", other.key).want(t, 403, "tenant_mismatch")
	get("", "").want(t, 401, "unauthenticated")
	for _, query := range []string{"?action=login.failed", "?actor_id=x", "?limit=1", "?from=x"} {
		get(query, tt.key).want(t, 400, "invalid_request")
	}
}

// The command says in sentences what holds and what does not, and its exit code says it to scripts.
func TestGatehouseAuditExportAndVerify(t *testing.T) {
	t.Parallel()
	tp := startPlatform(t)
	tt := threeDays(t, tp)
	env := environment(serveSettings(tp.install, "localhost:1"))
	dir := t.TempDir()
	command := func(args ...string) *program { return launchCommand(t, env, exec.Command(gatehouseBinary(t), args...)) }

	exported := command("audit", "export", tt.slug)
	if code := exported.wait(); code != 0 {
		t.Fatalf("export: %s", exported.stderr.String())
	}
	file, jwks := filepath.Join(dir, "log.ndjson"), filepath.Join(dir, "jwks.json")
	keys := tt.do(t, request{method: "GET", host: tt.host, path: "/.well-known/jwks.json"}).want(t, 200, "").body
	altered := filepath.Join(dir, "altered.ndjson")
	for name, text := range map[string]string{file: exported.stdout.String(), jwks: string(keys),
		altered: strings.Replace(exported.stdout.String(), "user.created", "user.deleted", 1)} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	holds := func(want string, args ...string) {
		t.Helper()
		c := command(append([]string{"audit", "verify"}, args...)...)
		if code := c.wait(); code != 0 || !strings.Contains(c.stdout.String(), want) {
			t.Errorf("%v: exit code %d, want %q: %s%s", args, code, want, c.stdout.String(), c.stderr.String())
		}
	}
	all := len(tt.chain(t))
	holds(fmt.Sprintf("verified: entries 1 to %d of tenant %s", all, tt.id), file, "--jwks", jwks)
	holds("the keys that were given signed it", file, "--jwks", tp.url+"/t/"+tt.slug+"/.well-known/jwks.json")
	holds("the end of "+day(2), file, "--jwks", jwks)
	holds("NOTE: the keys are the file's own", file, "--trust-file-keys")
	command("audit", "verify", altered, "--jwks", jwks).refuses("NOT verified: line")
	command("audit", "verify", file).refuses("say whose signatures are to be believed")
	command("audit", "verify", file, "--jwks", altered).refuses("--jwks: ")
	command("audit", "verify", file, "--jwks", "http://keys.example/").refuses("keys are fetched by https")
	command("audit", "verify", filepath.Join(dir, "nothing"), "--jwks", jwks).refuses("NOT verified: open")
	command("audit", "export", tt.slug, "--from", "yesterday").refuses("is not a time")
}

// The log is verified where it is. One that cannot be read is not called altered, and nobody is told why it cannot be.
func TestTheLogIsVerifiedWhereItIs(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	for range 3 {
		tt.newUser(t)
	}
	verify := func() answer { return tt.at(t, "GET", "/v1/audit-log/verification", request{key: tt.key}) }
	a := verify().want(t, 200, "")
	if a.field("verified") != true || a.field("entries").(float64) < 3 || a.field("problem") != nil {
		t.Errorf("a sound log: %s", a.body)
	}
	tt.exec(t, `alter table audit_log rename column entry to misplaced`)
	if a := verify().want(t, 500, "internal"); strings.Contains(string(a.body), "entry") {
		t.Errorf("it is told why: %s", a.body)
	}
	tt.exec(t, `alter table audit_log rename column misplaced to entry`)
	tt.exec(t, `update audit_log set entry = replace(entry, '"user.created"', '"user.deleted"') where seq = (select max(seq) from audit_log where action = 'user.created')`)
	if a := verify().want(t, 200, ""); a.field("verified") != false || a.text("problem") == "" {
		t.Errorf("an altered log: %s", a.body)
	}
}
