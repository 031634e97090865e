package tenancy

import (
	"bufio"
	"encoding/base64"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
)

// town is a platform at https://id.example.com with tenants on hosts of their own.
type town struct {
	*platform
	front        Front
	acme, globex Tenant // acme.example and globex.example; both prove their name for e-mail as well
	closed       Tenant // closed.example, suspended
}

func newTown(t testing.TB) *town {
	t.Helper()
	p := newPlatform(t)
	found := func(slug Slug) Tenant {
		w := wanted()
		w.Slug = slug
		c, err := p.provision.Create(t.Context(), w)
		check(t, err)
		p.domain(t, c.Tenant, Host(slug)+".example", UseHost, UseEmail)
		return c.Tenant
	}
	w := &town{platform: p, acme: found("acme"), globex: found("globex"), closed: found("closed")}
	p.domain(t, w.acme, "xn--bcher-kva.example", UseHost)
	p.do(t, "update control.tenants set state = 'suspended' where id = $1", w.closed.ID)
	listen(t, p.directory)
	address, err := ParseAddress("https://id.example.com")
	check(t, err)
	w.front = Front{Resolver: NewResolver(p.directory, address), Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	return w
}

// request is what a client sends: a target, header lines, and the tenant_slug of the body if it has one.
type request struct {
	target  string
	headers []string
	body    *string
	peer    string
}

func (q request) http(t testing.TB) *http.Request {
	t.Helper()
	target := q.target
	if target == "" {
		target = "/v1/auth/login"
	}
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("POST " + target + " HTTP/1.1\r\n" + strings.Join(q.headers, "\r\n") + "\r\n\r\n")))
	check(t, err)
	r.RemoteAddr = "198.51.100.7:4711"
	if q.peer != "" {
		r.RemoteAddr = q.peer + ":4711"
	}
	return r.WithContext(t.Context())
}

// whose is the slug of the tenant that a request is found to be of, or the code of the refusal.
func (w *town) whose(t testing.TB, q request, even bool) (answer string) {
	t.Helper()
	PathPrefix(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		site, err := w.front.Site(r)
		var found Tenant
		if err == nil {
			resolve := site.Tenant
			if even {
				resolve = site.EvenSuspended
			}
			found, err = resolve(r.Context(), q.body)
		}
		if err != nil {
			answer = codeOf(err)
			return
		}
		answer = string(found.Slug)
	})).ServeHTTP(httptest.NewRecorder(), q.http(t))
	if answer == "" {
		return "not_found" // not passed on
	}
	return answer
}

// token is a JWT that nobody signed.
func token(claims string) string {
	return "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
}

func tokenOf(t Tenant) string { return token(`{"tenant_id":"` + t.ID.String() + `"}`) }

func keyOf(t Tenant) string { return FormatSecret(KeyPrefix, t.ID, []byte("secret")) }

func text(s string) *string { return &s }

func TestWhoseARequestIs(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	bearer := func(t Tenant) string { return "Authorization: Bearer " + tokenOf(t) }
	key := func(t Tenant) string { return "X-API-Key: " + keyOf(t) }
	named := func(t Tenant) string { return "X-Tenant-ID: " + t.ID.String() }
	const shared, acme, closed = "Host: id.example.com", "Host: acme.example", "Host: closed.example"
	gone := Tenant{ID: id.NewTenant()}
	do := func(headers ...string) request { return request{headers: headers} }
	at := func(target string, headers ...string) request { return request{target: target, headers: headers} }
	with := func(slug string, headers ...string) request { return request{headers: headers, body: &slug} }
	from := func(peer string, headers ...string) request { return request{headers: headers, peer: peer} }
	for sentence, c := range map[string]struct {
		request
		want string
	}{
		// 1. The canonical host, if it is a verified domain of a tenant.
		"a proved host is its tenant's":                     {do(acme), "acme"},
		"upper case is the same host":                       {do("Host: ACME.Example"), "acme"},
		"a trailing dot is the same host":                   {do("Host: acme.example."), "acme"},
		"the default port is the same host":                 {do("Host: acme.example:443"), "acme"},
		"dot and default port are the same host":            {do("Host: Acme.Example.:443"), "acme"},
		"an A-label is the same host":                       {do("Host: xn--bcher-kva.example"), "acme"},
		"an A-label in upper case is the same host":         {do("Host: XN--BCHER-KVA.example"), "acme"},
		"two trailing dots are no host":                     {do("Host: acme.example.."), "not_found"},
		"a leading dot is no host":                          {do("Host: .acme.example"), "not_found"},
		"another port is another service":                   {do("Host: acme.example:8443"), "not_found"},
		"the port of the other scheme is another service":   {do("Host: acme.example:80"), "not_found"},
		"an empty port is no port":                          {do("Host: acme.example:"), "not_found"},
		"a port with a zero before it is another port":      {do("Host: acme.example:0443"), "not_found"},
		"two ports are no port":                             {do("Host: acme.example:443:443"), "not_found"},
		"a U-label is not what a client sends":              {do("Host: bücher.example"), "not_found"},
		"xn-- without Punycode is no label":                 {do("Host: xn--.example"), "not_found"},
		"xn-- of plain letters is no label":                 {do("Host: xn--acme-.example"), "not_found"},
		"xn-- of something that is not lower case":          {do("Host: xn--bcher-kvA.example"), "acme"},
		"an IPv4 address is no tenant":                      {do("Host: 127.0.0.1"), "not_found"},
		"an IPv4 address with a port is none":               {do("Host: 127.0.0.1:443"), "not_found"},
		"an IPv6 address is no tenant":                      {do("Host: [::1]"), "not_found"},
		"an IPv6 address with a port is none":               {do("Host: [::1]:443"), "not_found"},
		"an IPv6 address that embeds a name":                {do("Host: [acme.example]"), "not_found"},
		"a host nobody has is unknown":                      {do("Host: nobody.example"), "not_found"},
		"a name below a tenant's is unknown":                {do("Host: www.acme.example"), "not_found"},
		"a name below the shared host is unknown":           {do("Host: acme.id.example.com"), "not_found"},
		"an underscore is no host":                          {do("Host: ac_me.example"), "not_found"},
		"an empty host is unknown":                          {do("Host: "), "not_found"},
		"userinfo is no host":                               {do("Host: globex@acme.example"), "not_found"},
		"an absolute target overrides the header":           {at("https://acme.example/v1/auth/login", "Host: globex.example"), "acme"},
		"an absolute target with a strange port is unknown": {at("http://acme.example:8080/v1/auth/login", acme), "not_found"},
		"the host is not taken from the slug's host":        {at("/t/acme/v1/auth/login", "Host: nobody.example"), "not_found"},

		// 2. The shared host: prefix, body, credential.
		"the shared host alone names nobody":                {do(shared), "tenant_required"},
		"the shared host with its port":                     {at("/t/acme/v1/auth/login", "Host: ID.example.com.:443"), "acme"},
		"the prefix names the tenant":                       {at("/t/acme/v1/auth/login", shared), "acme"},
		"the prefix is case-exact":                          {at("/t/Acme/v1/auth/login", shared), "not_found"},
		"the prefix of nobody is unknown":                   {at("/t/nobody/v1/auth/login", shared), "not_found"},
		"an empty prefix is unknown":                        {at("/t//v1/auth/login", shared), "not_found"},
		"a prefix without a path is unknown":                {at("/t/acme", shared), "not_found"},
		"an escaped prefix is unknown":                      {at("/t/%61cme/v1/auth/login", shared), "not_found"},
		"an escaped slash is unknown":                       {at("/t/acme%2Fv1/auth/login", shared), "not_found"},
		"only the first prefix counts":                      {at("/t/acme/t/globex/v1/auth/login", shared), "acme"},
		"a prefix on the tenant's own host agrees":          {at("/t/acme/v1/auth/login", acme), "acme"},
		"a prefix of another tenant disagrees":              {at("/t/globex/v1/auth/login", acme), "tenant_mismatch"},
		"a prefix of nobody disagrees":                      {at("/t/nobody/v1/auth/login", acme), "tenant_mismatch"},
		"the body's slug names the tenant":                  {with("acme", shared), "acme"},
		"the body's slug is case-exact":                     {with("ACME", shared), "not_found"},
		"the body's slug of nobody is unknown":              {with("nobody", shared), "not_found"},
		"an empty slug in the body is unknown":              {with("", shared), "not_found"},
		"the body's slug agrees with the host":              {with("acme", acme), "acme"},
		"the body's slug disagrees with the host":           {with("globex", acme), "tenant_mismatch"},
		"an unknown slug in the body disagrees":             {with("nobody", acme), "tenant_mismatch"},
		"an empty slug in the body disagrees":               {with("", acme), "tenant_mismatch"},
		"prefix and body agree":                             {request{target: "/t/acme/v1/auth/login", headers: []string{shared}, body: text("acme")}, "acme"},
		"prefix and body disagree":                          {request{target: "/t/acme/v1/auth/login", headers: []string{shared}, body: text("globex")}, "tenant_mismatch"},
		"a token names the tenant":                          {do(shared, bearer(w.acme)), "acme"},
		"a key names the tenant":                            {do(shared, key(w.acme)), "acme"},
		"token and key agree":                               {do(shared, bearer(w.acme), key(w.acme)), "acme"},
		"token and key disagree":                            {do(shared, bearer(w.acme), key(w.globex)), "tenant_mismatch"},
		"a token of a tenant that is gone is no credential": {do(shared, bearer(gone)), "unauthenticated"},
		"a key of a tenant that is gone is no credential":   {do(shared, key(gone)), "unauthenticated"},
		"prefix and token disagree":                         {at("/t/acme/v1/users", shared, bearer(w.globex)), "tenant_mismatch"},
		"body and key disagree":                             {with("acme", shared, key(w.globex)), "tenant_mismatch"},

		// Every other hint must agree.
		"a token of another tenant at a host":                {do(acme, bearer(w.globex)), "tenant_mismatch"},
		"a key of another tenant at a host":                  {do(acme, key(w.globex)), "tenant_mismatch"},
		"a key of a tenant that is gone at a host":           {do(acme, key(gone)), "tenant_mismatch"},
		"a token of its own tenant at a host":                {do(acme, bearer(w.acme)), "acme"},
		"a malformed token names nobody and is judged later": {do(acme, "Authorization: Bearer nonsense"), "acme"},
		"a malformed key names nobody and is judged later":   {do(acme, "X-API-Key: nonsense"), "acme"},
		"a malformed token on the shared host":               {do(shared, "Authorization: Bearer a.b.c"), "unauthenticated"},
		"a malformed key on the shared host":                 {do(shared, "X-API-Key: ghk_zzz"), "unauthenticated"},
		"a malformed token before a good key":                {do(shared, "Authorization: Bearer a.b.c", key(w.acme)), "unauthenticated"},
		"a token with an upper-case id names nobody":         {do(shared, "Authorization: Bearer "+token(`{"tenant_id":"`+strings.ToUpper(w.acme.ID.String())+`"}`)), "unauthenticated"},
		"another scheme is no credential":                    {do(acme, "Authorization: Basic YTpi"), "unauthenticated"},
		"a scheme without a token is none":                   {do(acme, "Authorization: Bearer"), "unauthenticated"},
		"the scheme in lower case is the same":               {do(shared, "Authorization: bearer "+tokenOf(w.acme)), "acme"},
		"two Authorization headers":                          {do(acme, bearer(w.acme), bearer(w.acme)), "invalid_request"},
		"two keys":                                           {do(acme, key(w.acme), key(w.globex)), "invalid_request"},
		"an empty key":                                       {do(acme, "X-API-Key: "), "unauthenticated"},
		"X-Tenant-ID agrees with the host":                   {do(acme, named(w.acme)), "acme"},
		"X-Tenant-ID disagrees with the host":                {do(acme, named(w.globex)), "tenant_mismatch"},
		"X-Tenant-ID of nobody disagrees":                    {do(acme, named(gone)), "tenant_mismatch"},
		"X-Tenant-ID twice disagrees, even if alike":         {do(acme, named(w.acme), named(w.acme)), "tenant_mismatch"},
		"X-Tenant-ID empty names nobody":                     {do(acme, "X-Tenant-ID: "), "tenant_mismatch"},
		"X-Tenant-ID empty and again":                        {do(acme, "X-Tenant-ID: ", named(w.acme)), "tenant_mismatch"},
		"X-Tenant-ID in upper case is not canonical":         {do(acme, "X-Tenant-ID: "+strings.ToUpper(w.acme.ID.String())), "tenant_mismatch"},
		"X-Tenant-ID as a slug":                              {do(acme, "X-Tenant-ID: acme"), "tenant_mismatch"},
		"X-Tenant-ID in lower-case letters of its name":      {do(acme, "x-tenant-id: "+w.globex.ID.String()), "tenant_mismatch"},
		"X-Tenant-ID agrees with the prefix":                 {at("/t/acme/v1/auth/login", shared, named(w.acme)), "acme"},
		"X-Tenant-ID disagrees with the prefix":              {at("/t/acme/v1/auth/login", shared, named(w.globex)), "tenant_mismatch"},
		"X-Tenant-ID alone does not choose":                  {do(shared, named(w.acme)), "tenant_required"},
		"three hints agree and the fourth does not":          {request{target: "/t/acme/v1/users", headers: []string{acme, bearer(w.acme), named(w.globex)}, body: text("acme")}, "tenant_mismatch"},

		// Suspended tenants.
		"a suspended tenant by its host":       {do(closed), "tenant_suspended"},
		"a suspended tenant by prefix":         {at("/t/closed/v1/auth/login", shared), "tenant_suspended"},
		"a suspended tenant by body":           {with("closed", shared), "tenant_suspended"},
		"a suspended tenant by key":            {do(shared, key(w.closed)), "tenant_suspended"},
		"disagreement comes before suspension": {do(closed, key(w.acme)), "tenant_mismatch"},

		// Forwarded hosts.
		"a proxy tells the host":                        {from("10.1.2.3", "Host: inside", "X-Forwarded-Host: acme.example"), "acme"},
		"a proxy tells the host, canonicalised":         {from("10.1.2.3", "Host: inside", "X-Forwarded-Host: ACME.example.:443"), "acme"},
		"a stranger does not":                           {from("198.51.100.7", "Host: globex.example", "X-Forwarded-Host: acme.example"), "globex"},
		"a stranger does not, at an unknown host":       {from("198.51.100.7", "Host: inside", "X-Forwarded-Host: acme.example"), "not_found"},
		"of several the one the proxy wrote":            {from("10.1.2.3", "Host: inside", "X-Forwarded-Host: globex.example, acme.example"), "acme"},
		"of several lines the last":                     {from("10.1.2.3", "Host: inside", "X-Forwarded-Host: globex.example", "X-Forwarded-Host: acme.example"), "acme"},
		"an empty forwarded host is unknown":            {from("10.1.2.3", acme, "X-Forwarded-Host: "), "not_found"},
		"a proxy that tells nothing passes the host on": {from("10.1.2.3", acme), "acme"},
		"Forwarded (RFC 7239) is not read":              {from("10.1.2.3", acme, "Forwarded: host=globex.example"), "acme"},
		"X-Original-Host is not read":                   {from("10.1.2.3", acme, "X-Original-Host: globex.example"), "acme"},
	} {
		if got := w.whose(t, c.request, false); got != c.want {
			t.Errorf("%s: %s, want %s", sentence, got, c.want)
		}
	}
	for sentence, c := range map[string]struct {
		request
		want string
	}{
		"keys of a suspended tenant are published at its host": {do(closed), "closed"},
		"and below its prefix":                                 {at("/t/closed/.well-known/jwks.json", shared), "closed"},
		"also there hints must agree":                          {do(closed, named(w.acme)), "tenant_mismatch"},
		"the bare shared host has no keys":                     {at("/.well-known/jwks.json", shared), "tenant_required"},
	} {
		if got := w.whose(t, c.request, true); got != c.want {
			t.Errorf("%s: %s, want %s", sentence, got, c.want)
		}
	}
}

// TestTheUnknownAreAlike: a host nobody has, a slug nobody has, and a tenant that is not (or not yet) there.
func TestTheUnknownAreAlike(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	crashed := w.options
	crashed.afterStep = func(step string) error {
		if step == "schema" {
			return errors.New("crash")
		}
		return nil
	}
	half := wanted()
	c, err := NewProvisioner(crashed).Create(t.Context(), half)
	if err == nil {
		t.Fatal("it did not crash")
	}
	const shared = "Host: id.example.com"
	for sentence, q := range map[string]request{
		"an unknown host":                  {headers: []string{"Host: nobody.example"}},
		"an impossible host":               {headers: []string{"Host: no body"}},
		"an unknown slug":                  {headers: []string{shared}, body: text("nobody")},
		"an impossible slug":               {headers: []string{shared}, body: text("-")},
		"an unknown prefix":                {headers: []string{shared}, target: "/t/nobody/v1/auth/login"},
		"a tenant half made, by slug":      {headers: []string{shared}, body: text(string(half.Slug))},
		"a tenant half made, by its host":  {headers: []string{"Host: " + string(half.Slug) + ".tenants.example"}},
		"a tenant half made, by its host:": {headers: []string{"Host: " + string(c.Tenant.PrimaryDomain) + "."}},
	} {
		r := q.http(t)
		if q.target != "" {
			if got := w.whose(t, q, false); got != "not_found" {
				t.Errorf("%s: %s", sentence, got)
			}
			continue
		}
		site, err := w.front.Site(r)
		if err == nil {
			_, err = site.Tenant(t.Context(), q.body)
		}
		if told := problem.From(err); told.Code != "not_found" || told.Message != "There is nothing here." || told.Details != nil {
			t.Errorf("%s: %s", sentence, err)
		}
	}
}

// TestAPortIsCanonicalWhereThePlatformHasOne is development: http://localhost:8080.
func TestAPortIsCanonicalWhereThePlatformHasOne(t *testing.T) {
	t.Parallel()
	a, err := ParseAddress("http://localhost:8080")
	check(t, err)
	for header, want := range map[string]Host{"localhost:8080": "localhost", "localhost": "localhost", "localhost:80": "localhost", "LOCALHOST.:8080": "localhost",
		"localhost:8081": "", "localhost:443": "", "localhost:": "", "acme.localhost:8080": "acme.localhost"} {
		if got, err := a.Host(header); got != want || (err == nil) != (want != "") {
			t.Errorf("%s is %q, %v, want %q", header, got, err, want)
		}
	}
	if got := a.Issuer(Tenant{Slug: "acme"}); got != "http://localhost:8080/t/acme" {
		t.Errorf("issuer %s", got)
	}
	if got := a.Issuer(Tenant{Slug: "acme", PrimaryDomain: "acme.localhost"}); got != "http://acme.localhost:8080" {
		t.Errorf("issuer %s", got)
	}
	for _, bad := range []string{"", "localhost", "ftp://id.example", "https://", "https://id.example/path", "https://u@id.example", "https://id.example?x", "https://127.0.0.1", "https://[::1]:443", "https://id.example#f"} {
		if a, err := ParseAddress(bad); err == nil {
			t.Errorf("%q is an address: %+v", bad, a)
		}
	}
	if a, err := ParseAddress("https://ID.example.com.:443/"); err != nil || a.Origin(a.Shared()) != "https://id.example.com" {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestByEmailDomain(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	mail := newHost()
	w.domain(t, w.globex, mail, UseEmail)
	for host, want := range map[Host]string{"acme.example": "acme", mail: "globex", "xn--bcher-kva.example": "not_found", "closed.example": "tenant_suspended",
		"nobody.example": "not_found", "www.acme.example": "not_found"} {
		got, err := ByEmailDomain(t.Context(), w.directory, host)
		if answer := orCode(got, err); answer != want {
			t.Errorf("by e-mail domain %s: %s, want %s", host, answer, want)
		}
	}
	for host, want := range map[Host]string{"acme.example": "acme", mail: "globex", "xn--bcher-kva.example": "acme", "closed.example": "tenant_suspended", "nobody.example": "not_found"} {
		got, err := ByDomain(t.Context(), w.directory, host)
		if answer := orCode(got, err); answer != want {
			t.Errorf("by domain %s: %s, want %s", host, answer, want)
		}
	}
}

func orCode(t Tenant, err error) string {
	if err != nil {
		return codeOf(err)
	}
	return string(t.Slug)
}

// TestATenantIsFoundOnlyIfAllHintsNameIt throws hints together at random and compares with the rule said in one sentence.
func TestATenantIsFoundOnlyIfAllHintsNameIt(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 1))
	nobody := Tenant{ID: id.NewTenant(), Slug: "nobody"}
	found := 0
	for range 20_000 {
		// Most hints agree, so that the agreement of many is seen too.
		main := []Tenant{w.acme, w.globex, w.closed}[random.IntN(3)]
		pick := func() Tenant {
			if n := random.IntN(12); n < 4 {
				return []Tenant{w.acme, w.globex, w.closed, nobody}[n]
			}
			return main
		}
		var q request
		var hints []Tenant
		host := Host("id.example.com")
		chosen := false // by the host, or by a hint that may choose
		if random.IntN(3) > 0 {
			of := pick()
			host = Host(of.Slug) + ".example"
			hints = append(hints, of)
			chosen = true
		}
		q.headers = []string{"Host: " + string(host)}
		q.target = "/v1/users"
		if random.IntN(2) == 0 {
			of := pick()
			q.target = "/t/" + string(of.Slug) + "/v1/users"
			hints, chosen = append(hints, of), true
		}
		if random.IntN(2) == 0 {
			of := pick()
			q.body = text(string(of.Slug))
			hints, chosen = append(hints, of), true
		}
		if random.IntN(3) == 0 {
			of := pick()
			q.headers = append(q.headers, "Authorization: Bearer "+tokenOf(of))
			hints, chosen = append(hints, of), true
		}
		if random.IntN(3) == 0 {
			of := pick()
			q.headers = append(q.headers, "X-API-Key: "+keyOf(of))
			hints, chosen = append(hints, of), true
		}
		if random.IntN(3) == 0 {
			of := pick()
			q.headers = append(q.headers, "X-Tenant-ID: "+of.ID.String())
			hints = append(hints, of)
		}
		want := ""
		if chosen {
			want = string(hints[0].Slug)
			for _, h := range hints {
				if h.ID != hints[0].ID || h.ID == nobody.ID {
					want = ""
				}
			}
		}
		got := w.whose(t, q, true)
		refused := got == "tenant_mismatch" || got == "not_found" || got == "tenant_required" || got == "unauthenticated"
		if want != "" && got != want || want == "" && !refused {
			t.Fatalf("seed %d: %+v (body %v) is found to be %s, want %q", seed, q, deref(q.body), got, want)
		}
		if want != "" {
			found++
		}
	}
	if found < 1000 {
		t.Errorf("only %d of the combinations agree: the test shows little", found)
	}
}
