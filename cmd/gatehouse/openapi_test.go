package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/openapi"
	"github.com/gatehouse-id/gatehouse/tenancy/tenancytest"
)

// description is openapi.yaml, and which of the answers in it were seen.
type description struct {
	doc    *openapi3.T
	router routers.Router

	mu   sync.Mutex
	seen map[string]bool
}

func describe(t *testing.T) *description {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(openapi.JSON())
	if err != nil {
		t.Fatal(err)
	}
	doc.Servers = nil // any host; the prefix /t/{slug} is cut off below
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return &description{doc: doc, router: router, seen: map[string]bool{}}
}

// describedOperation is one operation of the document.
type describedOperation struct {
	*openapi3.Operation
	method, path string
	item         *openapi3.PathItem
}

func (d *description) operations() (all []describedOperation) {
	for path, item := range d.doc.Paths.Map() {
		for method, op := range item.Operations() {
			all = append(all, describedOperation{op, method, path, item})
		}
	}
	slices.SortFunc(all, func(a, b describedOperation) int { return cmp.Compare(a.path+a.method, b.path+b.method) })
	return all
}

func (o describedOperation) String() string { return o.method + " " + o.path }

func (o describedOperation) scope() string { s, _ := o.Extensions["x-scope"].(string); return s }

// bodyLimit is the longest body of the operation, in bytes.
func (o describedOperation) bodyLimit() int {
	if limit, ok := o.Extensions["x-body-limit"].(float64); ok {
		return int(limit)
	}
	return 64 << 10
}

// tenanted tells whether the operation is of one tenant.
func (o describedOperation) tenanted() bool {
	return o.Parameters.GetByInAndName("header", "X-Tenant-ID") != nil || o.item.Parameters.GetByInAndName("header", "X-Tenant-ID") != nil
}

// secured tells whether the operation wants a credential; without security of its own it is the document's.
func (o describedOperation) secured() bool { return o.Security == nil || len(*o.Security) > 0 }

// example is a request that the operation accepts in form, for an object nobody has.
func (o describedOperation) example() request {
	rq := request{method: o.method, path: strings.ReplaceAll(o.path, "{id}", id.NewUser().String())}
	switch {
	case o.OperationID == "beginRegistration":
		rq.path += "?method_type=webauthn_fido"
	case o.OperationID == "importUsers":
		rq.body, rq.header = `{"email":"nobody@people.example","name":"Nobody"}`, map[string]string{"Content-Type": "application/x-ndjson"}
	case linkExamples[o.OperationID] != nil: // their examples name a tenant, too
		rq.body = linkExamples[o.OperationID]
	case o.OperationID == "login": // the example names a tenant, which is not this one
		rq.body = map[string]any{"email": "nobody@people.example", "password": goodPassword}
	case o.OperationID == "refresh": // likewise
		rq.body = map[string]any{"refresh_token": "ghr_of_nobody"}
	case o.OperationID == "exchange": // likewise
		rq.body = map[string]any{"code": "ghc_of_nobody", "return_url": appURL, "code_verifier": testVerifier}
	case o.OperationID == "createTenant":
		rq.body = map[string]any{"name": "Test", "slug": "t" + strings.ToLower(rand.Text()[:12])}
	case o.OperationID == "createAPIKey": // what a key with this scope alone may create
		rq.body = map[string]any{"name": "child", "scopes": []string{o.scope()}}
	case o.RequestBody != nil && o.RequestBody.Value.Required:
		rq.body = o.RequestBody.Value.Content.Get("application/json").Example
	}
	return rq
}

// answers are the answers that the document lists, as "GET /v1/users 200" or "GET /v1/users 404 not_found".
func (d *description) answers() map[string]bool {
	all := map[string]bool{}
	for _, o := range d.operations() {
		for status, response := range o.Responses.Map() {
			name := o.String() + " " + status
			if status < "400" {
				all[name] = true
				continue
			}
			for _, code := range codesOf(response.Value.Content.Get("application/json").Schema) {
				all[name+" "+code] = true
			}
		}
	}
	return all
}

func codesOf(s *openapi3.SchemaRef) (codes []string) {
	if p := s.Value.Properties["code"]; p != nil {
		for _, code := range p.Value.Enum {
			codes = append(codes, code.(string))
		}
	}
	for _, part := range s.Value.AllOf {
		codes = append(codes, codesOf(part)...)
	}
	return codes
}

// try sends a request and holds what comes back against the document. What the service accepts must be a request as
// described; every answer must be one of those described, with their headers.
func (d *description) try(t *testing.T, tp *testPlatform, rq request) answer {
	t.Helper()
	a := rq.send(t, tp)
	r := rq.build(t, tp)
	if rest, ok := strings.CutPrefix(r.URL.Path, "/t/"); ok {
		_, rest, _ = strings.Cut(rest, "/")
		r.URL.Path = "/" + rest
	}
	route, params, err := d.router.FindRoute(r)
	if err != nil {
		t.Fatalf("%s %s is not described: %v", rq.method, rq.path, err)
	}
	options := &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true, AuthenticationFunc: authenticates, RejectWhenRequestBodyNotSpecified: true}
	input := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route, Options: options}
	if a.status < 300 {
		if err := openapi3filter.ValidateRequest(t.Context(), input); err != nil {
			t.Errorf("%s %s was accepted, and is not a request as described: %v", rq.method, rq.path, err)
		}
	}
	output := (&openapi3filter.ResponseValidationInput{RequestValidationInput: input, Status: a.status, Header: a.header, Options: options}).SetBodyBytes(a.body)
	if err := openapi3filter.ValidateResponse(t.Context(), output); err != nil {
		t.Errorf("%s %s: the answer %d is not described: %v\n%s", rq.method, rq.path, a.status, err, a.body)
	}
	if a.status == http.StatusNoContent && len(a.body) > 0 {
		t.Errorf("%s %s: 204 with a body", rq.method, rq.path)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen[strings.TrimSpace(fmt.Sprintf("%s %s %d %s", rq.method, route.Path, a.status, a.text("code")))] = true
	return a
}

// authenticates holds the credential a request was accepted with against the schemes of its operation.
func authenticates(_ context.Context, in *openapi3filter.AuthenticationInput) error {
	name := map[string]string{"bearer": "Authorization", "apiKey": "X-API-Key"}[in.SecuritySchemeName]
	if in.RequestValidationInput.Request.Header.Get(name) == "" {
		return fmt.Errorf("no %s", name)
	}
	return nil
}

// build is the request; a value of several lines is a header sent several times.
func (rq request) build(t *testing.T, tp *testPlatform) *http.Request {
	t.Helper()
	var body []byte
	switch b := rq.body.(type) {
	case nil:
	case string:
		body = []byte(b)
	default:
		var err error
		if body, err = json.Marshal(b); err != nil {
			t.Fatal(err)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), rq.method, "http://"+tp.address+rq.path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Host = cmp.Or(rq.host, strings.TrimPrefix(tp.url, "http://"))
	if len(body) > 0 {
		r.Header.Set("Content-Type", "application/json")
	}
	if rq.bearer != "" {
		r.Header.Set("Authorization", "Bearer "+rq.bearer)
	}
	if rq.key != "" {
		r.Header.Set("X-API-Key", rq.key)
	}
	for name, values := range rq.header {
		r.Header.Del(name)
		for value := range strings.Lines(values) {
			r.Header.Add(name, strings.TrimSpace(value))
		}
	}
	return r
}

func (rq request) send(t *testing.T, tp *testPlatform) answer {
	t.Helper()
	res, err := clientFrom(rq.from).Do(rq.build(t, tp))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, body}
}

// The routes and the document are the same list. The routes are read in the source, where each is a literal.
func TestRoutesAreDescribed(t *testing.T) {
	t.Parallel()
	mounted, described := mountedRoutes(t), map[string]bool{}
	for _, o := range describe(t).operations() {
		described[o.String()] = true
		if !mounted[o.String()] {
			t.Errorf("%s is described and not mounted", o)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(mounted)) {
		if !described[name] {
			t.Errorf("%s is mounted and not described", name)
		}
	}
}

// mountedRoutes finds every r.Handle("path", rest.Methods{method: ...}) of the program.
func mountedRoutes(t *testing.T) map[string]bool {
	t.Helper()
	routes := map[string]bool{}
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && name == filepath.Join(root, "cmd", "gatehouse", "pages") {
			return filepath.SkipDir // what people see is no operation
		}
		if err != nil || entry.IsDir() || filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(file.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"github.com/gorilla/mux"` }) {
			return nil
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				addRoutes(t, routes, name, call)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return routes
}

func addRoutes(t *testing.T, routes map[string]bool, file string, call *ast.CallExpr) {
	t.Helper()
	f, ok := call.Fun.(*ast.SelectorExpr)
	if ok && slices.Contains([]string{"HandleFunc", "PathPrefix", "Path", "Methods", "NewRoute", "Subrouter"}, f.Sel.Name) {
		if x, isName := f.X.(*ast.Ident); isName && x.Name == "r" {
			t.Errorf("%s mounts by %s, which this test cannot read: use r.Handle with rest.Methods", file, f.Sel.Name)
		}
	}
	if !ok || f.Sel.Name != "Handle" || len(call.Args) != 2 {
		return
	}
	path, isPath := call.Args[0].(*ast.BasicLit)
	methods, isMethods := call.Args[1].(*ast.CompositeLit)
	if !isPath || !isMethods {
		t.Errorf("%s mounts something else than rest.Methods at a literal path", file)
		return
	}
	text, _ := strconv.Unquote(path.Value)
	for _, e := range methods.Elts {
		pair, _ := e.(*ast.KeyValueExpr)
		method, isConst := pair.Key.(*ast.SelectorExpr)
		if !isConst {
			t.Errorf("%s: %s has a method that is not of the form http.MethodGet", file, text)
			continue
		}
		routes[strings.ToUpper(strings.TrimPrefix(method.Sel.Name, "Method"))+" "+text] = true
	}
}

// Every operation is made to give every answer that the document lists, and gives no other.
func TestAnswersAreAsDescribed(t *testing.T) {
	t.Parallel()
	d, tp := describe(t), sharedPlatform(t)
	t.Cleanup(func() { d.checkAllSeen(t) }) // runs when all parts are done
	for name, part := range map[string]func(*testing.T, *testPlatform){
		"every operation": d.everyOperation, "outage": d.outage, "a full fleet": d.full, "service and sign-in": d.signIn, "users": d.users, "profile": d.profile, "second factors": d.factors,
		"sessions": d.sessions, "applications": d.exchange, "guessing": d.guessing, "links": d.links,
		"settings": d.decisions, "policies": d.policies,
		"mail":     d.mail,
		"api keys": d.apiKeys, "domains": d.domains, "tenants": d.tenants,
		"audit log": d.auditLog, "import": d.imports, "signing keys": d.signingKeys, "fleet": d.fleet,
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); part(t, tp) })
	}
}

// checkAllSeen finds answers that the document promises and nobody gave. After a failure there would be many more, and
// they would say nothing.
func (d *description) checkAllSeen(t *testing.T) {
	t.Helper()
	if t.Failed() {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(d.answers())) {
		switch {
		case d.seen[name]:
		case strings.HasSuffix(name, " 500 internal"): // a fault nobody knows cannot be asked for
		case strings.HasSuffix(name, " 429 rate_limited"): // a tenant's storm is shed at the first thing it wants a share of, whatever the operation
		default:
			t.Errorf("%s is described and was not seen", name)
		}
	}
}

// everyOperation asks of each operation what all of its kind have in common, as the document says.
func (d *description) everyOperation(t *testing.T, tp *testPlatform) {
	own, other, idle := tp.newTenant(t), tp.newTenant(t), tp.newTenant(t)
	suspend := request{method: "POST", path: "/v1/tenants/" + idle.id + "/suspend", key: tp.platformKey, body: map[string]any{"active": false}}
	tp.do(t, suspend).want(t, 200, "")
	token, _ := own.signIn(t)
	fenced, platform := other.fenced(t), tp.platformTenant(t).fenced(t)

	for _, o := range d.operations() {
		try := func(why string, status int, code string, change func(*request)) {
			t.Helper()
			rq := o.example()
			change(&rq)
			if a := d.try(t, tp, rq); a.status != status || a.text("code") != code {
				t.Errorf("%s, %s: %d %s and not %d %s: %s", o, why, a.status, a.text("code"), status, code, a.body)
			}
		}
		// by is the caller who may do this, at their own host.
		key, host := own.key, own.host
		if o.Tags[0] == "platform" {
			key, host = tp.platformKey, ""
		}
		by := func(rq *request) {
			switch rq.host = host; {
			case o.Tags[0] == "profile":
				rq.bearer = token
			case o.secured():
				rq.key = key
			}
		}
		if o.tenanted() {
			try("of nobody's host", 404, "not_found", func(rq *request) { rq.host = "nobody.example" })
			try("with another tenant's id", 403, "tenant_mismatch", func(rq *request) { by(rq); rq.header = map[string]string{"X-Tenant-ID": other.id} })
			try("with two kinds of authorization", 400, "invalid_request", func(rq *request) { by(rq); rq.header = map[string]string{"Authorization": "Bearer a\nBearer b"} })
			try("with a password for authorization", 401, "unauthenticated", func(rq *request) { by(rq); rq.header = map[string]string{"Authorization": "Basic YTpi"} })
			if d.answers()[o.String()+" 400 tenant_required"] {
				try("of no tenant", 400, "tenant_required", func(*request) {})
			}
			if d.answers()[o.String()+" 403 tenant_suspended"] {
				try("of a suspended tenant", 403, "tenant_suspended", func(rq *request) { rq.host = idle.host })
			}
		}
		if o.secured() {
			try("by nobody", 401, "unauthenticated", func(rq *request) { rq.host = own.host })
			try("by a forged key", 401, "unauthenticated", func(rq *request) { rq.host, rq.key = host, key[:len(key)-4]+"AAAA" })
			try("by a forged token", 401, "unauthenticated", func(rq *request) { rq.host, rq.bearer = own.host, "a.b.c" })
			try("of another tenant's host", 403, "tenant_mismatch", func(rq *request) { rq.host, rq.key = other.host, key })
		}
		if o.RequestBody != nil {
			try("in plain text", 415, "unsupported_media_type", func(rq *request) {
				by(rq)
				rq.body, rq.header = "active", map[string]string{"Content-Type": "text/plain"}
			})
		}
		if o.RequestBody != nil && o.Responses.Status(413) != nil {
			try("too long", 413, "too_large", func(rq *request) { by(rq); rq.body = `{"name":"` + strings.Repeat("a", o.bodyLimit()) + `"}` })
			try("with an unknown member", 400, "invalid_request", func(rq *request) { by(rq); rq.body = map[string]any{"nonsense": true} })
		}
		if scope := o.scope(); scope != "" {
			only := func(scopes ...string) string {
				body := map[string]any{"name": "one scope", "scopes": scopes}
				return tp.do(t, request{method: "POST", path: "/v1/api-keys", key: key, body: body}).want(t, 201, "").text("raw_key")
			}
			without := slices.DeleteFunc(scopesOfTenants(), func(s string) bool { return s == scope })
			try("without its scope", 403, "forbidden", func(rq *request) { rq.host, rq.key = host, only(without...) })
			try("against a rule", 403, "policy_denied", func(rq *request) {
				if rq.host, rq.bearer = other.host, fenced; o.Tags[0] == "platform" {
					rq.host, rq.bearer = "", platform
				}
			})
			rq := o.example()
			rq.host, rq.key = host, only(scope)
			if a := d.try(t, tp, rq); a.status == 403 {
				t.Errorf("%s needs more than the scope %s: %s", o, scope, a.body)
			}
			if strings.Contains(o.path, "{id}") {
				try("of nobody's id", 404, "not_found", by)
				try("of no id", 404, "not_found", func(rq *request) { by(rq); rq.path = strings.ReplaceAll(o.path, "{id}", "1") })
			}
		}
	}
	for path, item := range d.doc.Paths.Map() {
		a := tp.do(t, request{method: "PATCH", host: own.host, path: strings.ReplaceAll(path, "{id}", "1")}).want(t, 405, "method_not_allowed")
		d.checkRefusal(t, a, item)
	}
}

// fenced is the token of an administrator whom a rule lets administer nothing.
func (tt testTenant) fenced(t *testing.T) (token string) {
	t.Helper()
	token, id := tt.signIn(t, "admin")
	tt.decree(t, `forbid (principal == User::"`+id+`", action == Action::"call_api", resource);`)
	return token
}

func scopesOfTenants() []string {
	return []string{"audit:read", "domains:write", "keys:write", "policies:write", "settings:read", "settings:write", "users:read", "users:write"}
}

// checkRefusal holds a 405 against the document: it is not of any operation, so it is described once for all.
func (d *description) checkRefusal(t *testing.T, a answer, item *openapi3.PathItem) {
	t.Helper()
	responses := openapi3.NewResponses(openapi3.WithStatus(http.StatusMethodNotAllowed, d.doc.Components.Responses["MethodNotAllowed"]))
	route := &routers.Route{Spec: d.doc, PathItem: item, Operation: &openapi3.Operation{Responses: responses}}
	input := &openapi3filter.ResponseValidationInput{RequestValidationInput: &openapi3filter.RequestValidationInput{Request: &http.Request{Method: "PATCH"}, Route: route},
		Status: a.status, Header: a.header, Options: &openapi3filter.Options{IncludeResponseStatus: true}}
	if err := openapi3filter.ValidateResponse(t.Context(), input.SetBodyBytes(a.body)); err != nil {
		t.Errorf("405 is not as described: %v", err)
	}
	methods := slices.Collect(maps.Keys(item.Operations()))
	if item.Get != nil {
		methods = append(methods, "HEAD")
	}
	slices.Sort(methods)
	if got, want := a.header.Get("Allow"), strings.Join(methods, ", "); got != want {
		t.Errorf("Allow is %q, described is %q", got, want)
	}
}

// outage asks every operation while Postgres cannot be reached.
func (d *description) outage(t *testing.T, _ *testPlatform) {
	cut := make(chan struct{})
	in := tenancytest.Install(t)
	tp := startOn(t, in, func(c *config) { c.DatabaseURL = secret(throughWire(t, string(c.DatabaseURL), cut)) })
	close(cut)
	for _, o := range d.operations() {
		if !o.tenanted() && o.OperationID != "getReadiness" {
			continue
		}
		rq := o.example()
		rq.host = "unheard-of.localhost"
		d.try(t, tp, rq).want(t, 503, "unavailable")
	}
}

// full asks for a tenant where no database has room for one, without and with the name of a database.
func (d *description) full(t *testing.T, _ *testPlatform) {
	tp := startOn(t, tenancytest.Install(t), func(c *config) { c.DatabaseCapacity = 1 }) // the platform's own tenant fills it
	for _, body := range []jsonBody{{"name": "Acme", "slug": "acme"}, {"name": "Acme", "slug": "acme", "database": "shared-1"}} {
		d.try(t, tp, asKey("", tp.platformKey)("POST", "/v1/tenants", body)).want(t, 503, "capacity_exhausted")
	}
	d.moves(t)
}

// moves makes the move of a tenant give its answers, between two databases of which one has room for one.
func (d *description) moves(t *testing.T) {
	t.Helper()
	second := tenancytest.Database(t)
	tp := startOn(t, tenancytest.Install(t), func(c *config) {
		there := beside("shared-2", second)
		there.Capacity = 1
		c.MoreDatabases = []database{there}
	})
	one, two := tp.newTenantIn(t, "shared-1"), tp.newTenantIn(t, "shared-1")
	move := func(tenant, to string) request {
		return asKey("", tp.platformKey)("POST", "/v1/tenants/"+tenant+"/move", jsonBody{"database": to})
	}
	d.hold(t, tp,
		sentence{"not the platform", move(tp.platformTenant(t).id, "shared-2"), 409, "platform_protected"},
		sentence{"a tenant is moved", move(one.id, "shared-2"), 200, ""},
		sentence{"once", move(one.id, "shared-2"), 200, ""},
		sentence{"where there is room", move(two.id, "shared-2"), 503, "capacity_exhausted"},
		sentence{"to a database that is there", move(two.id, "shared-3"), 400, "invalid_request"},
	)
	c := one.superuser(t)
	if _, err := c.Exec(t.Context(), `select pg_advisory_lock(hashtextextended('t_' || replace($1, '-', ''), 0))`, one.id); err != nil {
		t.Fatal(err)
	}
	d.hold(t, tp, sentence{"one at a time", move(one.id, "shared-1"), 409, "move_under_way"})
}

// throughWire is the URL of a database behind a wire that is cut when cut is closed.
func throughWire(t *testing.T, databaseURL string, cut <-chan struct{}) string {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	target := u.Host
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { <-cut; _ = listener.Close() }()
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", target)
			if err != nil {
				_ = near.Close()
				continue
			}
			go func() { <-cut; _ = near.Close(); _ = far.Close() }()
			go func() { _, _ = io.Copy(far, near); _ = far.Close() }()
			go func() { _, _ = io.Copy(near, far); _ = near.Close() }()
		}
	}()
	u.Host = listener.Addr().String()
	return u.String()
}

// sentence is one thing that is so.
type sentence struct {
	says   string
	rq     request
	status int
	code   string
}

func (d *description) hold(t *testing.T, tp *testPlatform, all ...sentence) {
	t.Helper()
	for _, s := range all {
		if a := d.try(t, tp, s.rq); a.status != s.status || a.text("code") != s.code {
			t.Errorf("%s: %d %s and not %d %s: %s", s.says, a.status, a.text("code"), s.status, s.code, a.body)
		}
	}
}

// asKey makes requests of one caller at one host.
func asKey(host, key string) func(method, path string, body any) request {
	return func(method, path string, body any) request {
		return request{method: method, host: host, path: path, key: key, body: body}
	}
}

type jsonBody = map[string]any

// once is a request with an Idempotency-Key.
func (rq request) once(key string) request {
	rq.header = map[string]string{"Idempotency-Key": key}
	return rq
}

func (d *description) signIn(t *testing.T, tp *testPlatform) {
	tt := tp.newTenant(t)
	email, _ := tt.newUser(t)
	get := func(host, path string) request { return request{method: "GET", host: host, path: path} }
	login := func(host string, body jsonBody) request {
		return request{method: "POST", host: host, path: "/v1/auth/login", body: body}
	}
	administer := asKey(tt.host, tt.key)
	d.try(t, tp, administer("POST", "/v1/users", jsonBody{"email": "new@people.example", "name": "New", "password": goodPassword})).want(t, 201, "")
	token := d.try(t, tp, login(tt.host, jsonBody{"email": email, "password": goodPassword})).want(t, 200, "").text("token")
	profile := request{method: "GET", path: "/v1/users/me/profile", bearer: token}

	d.hold(t, tp,
		sentence{"liveness needs no tenant", get("", "/healthz"), 200, ""},
		sentence{"readiness needs no tenant", get("", "/readyz"), 200, ""},
		sentence{"probes know no host", get("10.0.0.1", "/readyz"), 200, ""},
		sentence{"the description needs no tenant", get("", "/openapi.json"), 200, ""},
		sentence{"metadata is at the tenant's host", get(tt.host, "/.well-known/openid-configuration"), 200, ""},
		sentence{"metadata is below the prefix", get("", "/t/"+tt.slug+"/.well-known/openid-configuration"), 200, ""},
		sentence{"keys are at the tenant's host", get(tt.host, "/.well-known/jwks.json"), 200, ""},
		sentence{"keys are below the prefix", get("", "/t/"+tt.slug+"/.well-known/jwks.json"), 200, ""},
		sentence{"providers are found by host", get(tt.host, "/v1/auth/providers"), 200, ""},
		sentence{"providers are found by slug", get("", "/v1/auth/providers?slug="+tt.slug), 200, ""},
		sentence{"providers are found by domain", get("", "/v1/auth/providers?domain="+tt.host), 200, ""},
		sentence{"a domain is a host name", get("", "/v1/auth/providers?domain=!"), 400, "invalid_request"},
		sentence{"a host tells nothing of other tenants", get(tt.host, "/v1/auth/providers?slug=platform"), 403, "tenant_mismatch"},
		sentence{"a slug may stand in the body", login("", jsonBody{"email": email, "password": goodPassword, "tenant_slug": tt.slug}), 200, ""},
		sentence{"a slug may be null", login(tt.host, jsonBody{"email": email, "password": goodPassword, "tenant_slug": nil}), 200, ""},
		sentence{"a slug is case-exact", login("", jsonBody{"email": email, "password": goodPassword, "tenant_slug": strings.ToUpper(tt.slug)}), 404, "not_found"},
		sentence{"a wrong password is refused", login(tt.host, jsonBody{"email": email, "password": "wrong"}), 401, "invalid_credentials"},
		sentence{"a domain nobody proved is a wrong password", login("", jsonBody{"email": email, "password": "wrong"}), 401, "invalid_credentials"},
		sentence{"an address must be verified", login(tt.host, jsonBody{"email": "new@people.example", "password": goodPassword}), 403, "email_not_verified"},
		sentence{"all bad members are told", login(tt.host, jsonBody{"email": 1, "password": ""}), 400, "invalid_request"},
		sentence{"a body must be JSON", request{method: "POST", host: tt.host, path: "/v1/auth/login", body: "{"}, 400, "invalid_request"},
		sentence{"a token names its tenant", profile, 200, ""},
		sentence{"a key is nobody", administer("GET", "/v1/users/me/profile", nil), 401, "unauthenticated"},
	)
}

func (d *description) users(t *testing.T, tp *testPlatform) {
	made := tp.do(t, request{method: "POST", path: "/v1/tenants", key: tp.platformKey, body: jsonBody{"name": "Owned",
		"slug": "t" + strings.ToLower(rand.Text()[:12]), "owner_email": "owner@people.example", "owner_name": "Owner"}}).want(t, 201, "")
	by := asKey("", made.text("admin_api_key"))
	owner := "/v1/users/" + made.text("owner_user_id")
	grace := jsonBody{"email": "Grace@People.Example", "name": " Grace ", "roles": []string{"admin", "user", "user"}, "password": goodPassword, "email_verified": true}
	user := "/v1/users/" + d.try(t, tp, by("POST", "/v1/users", grace).once("grace")).want(t, 201, "").text("id")
	next := d.try(t, tp, by("GET", "/v1/users?limit=1", nil)).want(t, 200, "").text("next_cursor")
	token := tp.do(t, request{method: "POST", path: "/v1/auth/login", body: jsonBody{"email": "grace@people.example", "password": goodPassword,
		"tenant_slug": made.text("slug")}}).want(t, 200, "").text("token")
	vouch := request{method: "POST", path: "/v1/users", bearer: token, body: jsonBody{"email": "a@b.example", "name": "A", "email_verified": true}}

	d.hold(t, tp,
		sentence{"sent again it is answered alike", by("POST", "/v1/users", grace).once("grace"), 201, ""},
		sentence{"a key is for one body", by("POST", "/v1/users", jsonBody{"email": "x@y.example", "name": "X"}).once("grace"), 409, "idempotency_conflict"},
		sentence{"a key is printable", by("POST", "/v1/users", grace).once("gr\u00e4ce"), 400, "invalid_request"},
		sentence{"an address is taken once", by("POST", "/v1/users", grace), 409, "email_taken"},
		sentence{"a password is long", by("POST", "/v1/users", jsonBody{"email": "x@y.example", "name": "X", "password": "short"}), 400, "weak_password"},
		sentence{"nullable is nullable", by("POST", "/v1/users", jsonBody{"email": "x@y.example", "name": "X", "password": nil, "email_verified": nil}), 201, ""},
		sentence{"a person vouches for nobody", vouch, 400, "invalid_request"},
		sentence{"a role must exist", by("POST", "/v1/users", jsonBody{"email": "z@y.example", "name": "Z", "roles": []string{"root"}}), 400, "invalid_request"},
		sentence{"an administrator may list", request{method: "GET", path: "/v1/users", bearer: token}, 200, ""},
		sentence{"a page follows", by("GET", "/v1/users?limit=1&cursor="+next, nil), 200, ""},
		sentence{"a cursor is of one list", by("GET", "/v1/users?q=a&cursor="+next, nil), 400, "invalid_request"},
		sentence{"filters narrow", by("GET", "/v1/users?email=grace@people.example&q=GRA", nil), 200, ""},
		sentence{"a limit has limits", by("GET", "/v1/users?limit=251", nil), 400, "invalid_request"},
		sentence{"a user is shown", by("GET", user, nil), 200, ""},
		sentence{"a user is changed", by("PUT", user, jsonBody{"name": "Grace Hopper", "roles": []string{"user"}}), 200, ""},
		sentence{"nothing said, nothing changed", by("PUT", user, jsonBody{}), 200, ""},
		sentence{"null is no name", by("PUT", user, jsonBody{"name": nil}), 400, "invalid_request"},
		sentence{"a user is suspended", by("POST", user+"/suspend", jsonBody{"active": false}), 200, ""},
		sentence{"suspension has a direction", by("POST", user+"/suspend", jsonBody{"active": nil}), 400, "invalid_request"},
		sentence{"the owner stays administrator", by("PUT", owner, jsonBody{"roles": []string{"user"}}), 409, "owner_protected"},
		sentence{"the owner is not suspended", by("POST", owner+"/suspend", jsonBody{"active": false}), 409, "owner_protected"},
		sentence{"the owner is not deleted", by("DELETE", owner, nil), 409, "owner_protected"},
		sentence{"a user is deleted", by("DELETE", user, nil), 204, ""},
	)
}

func (d *description) apiKeys(t *testing.T, tp *testPlatform) {
	tt := tp.newTenant(t)
	by := asKey(tt.host, tt.key)
	body := jsonBody{"name": "export", "scopes": []string{"users:read"}, "expires_at": "2126-01-01T02:00:00+02:00"}
	key := "/v1/api-keys/" + d.try(t, tp, by("POST", "/v1/api-keys", body).once("a key")).want(t, 201, "").text("id")
	token, _ := tt.signIn(t, "admin")
	old, _ := tt.signIn(t, "admin")
	d.age(t, tt, old)

	d.hold(t, tp,
		sentence{"sent again it is answered alike", by("POST", "/v1/api-keys", body).once("a key"), 201, ""},
		sentence{"a key is for one body", by("POST", "/v1/api-keys", jsonBody{"name": "x", "scopes": []string{"users:read"}}).once("a key"), 409, "idempotency_conflict"},
		sentence{"a fresh login may", request{method: "POST", host: tt.host, path: "/v1/api-keys", bearer: token, body: body}, 201, ""},
		sentence{"an old one may not", request{method: "POST", host: tt.host, path: "/v1/api-keys", bearer: old, body: body}, 403, "reauthentication_required"},
		sentence{"scopes of the platform are its own", by("POST", "/v1/api-keys", jsonBody{"name": "x", "scopes": []string{"tenants:read"}}), 400, "invalid_request"},
		sentence{"expiry may be null", by("POST", "/v1/api-keys", jsonBody{"name": "x", "scopes": []string{"users:read"}, "expires_at": nil}), 201, ""},
		sentence{"expiry is to come", by("POST", "/v1/api-keys", jsonBody{"name": "x", "scopes": []string{"users:read"}, "expires_at": "2020-01-01T00:00:00Z"}), 400, "invalid_request"},
		sentence{"keys are listed", by("GET", "/v1/api-keys?limit=2", nil), 200, ""},
		sentence{"a key is revoked", by("DELETE", key, nil), 204, ""},
	)
}

// age makes the login of a token an hour older.
func (d *description) age(t *testing.T, tt testTenant, token string) {
	t.Helper()
	var claims struct{ SID string }
	payload, _, _ := strings.Cut(token[strings.IndexByte(token, '.')+1:], ".")
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err == nil {
		err = json.Unmarshal(text, &claims)
	}
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), tt.install.SuperuserURL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	sessions := pgx.Identifier{"t_" + strings.ReplaceAll(tt.id, "-", ""), "sessions"}.Sanitize()
	tag, err := conn.Exec(t.Context(), `update `+sessions+` set auth_time = auth_time - interval '1 hour' where id = $1`, claims.SID)
	if err != nil || tag.RowsAffected() != 1 {
		t.Fatalf("%s, %v", tag, err)
	}
}

func (d *description) domains(t *testing.T, tp *testPlatform) {
	tt, rival, greedy := tp.newTenant(t), tp.newTenant(t), tp.newTenant(t)
	by, them, hoard := asKey(tt.host, tt.key), asKey(rival.host, rival.key), asKey(greedy.host, greedy.key)
	name := strings.ToLower(rand.Text()[:12]) + ".localhost"
	claim := jsonBody{"domain": name, "uses": []string{"host", "email"}}
	ours := "/v1/domains/" + d.try(t, tp, by("POST", "/v1/domains", claim).once("a claim")).want(t, 201, "").text("id")
	theirs := "/v1/domains/" + d.try(t, tp, them("POST", "/v1/domains", claim)).want(t, 201, "").text("id")
	elsewhere := "/v1/domains/" + d.try(t, tp, by("POST", "/v1/domains", jsonBody{"domain": "b\u00fccher.invalid"})).want(t, 201, "").text("id")
	post := "/v1/domains/" + tp.do(t, by("POST", "/v1/domains", jsonBody{"domain": "mail." + name, "uses": []string{"email"}})).want(t, 201, "").text("id")
	tp.do(t, by("POST", post+"/verify", nil)).want(t, 200, "")
	for i := range 99 { // one was given
		tp.do(t, hoard("POST", "/v1/domains", jsonBody{"domain": fmt.Sprintf("n%d.invalid", i)})).want(t, 201, "")
	}

	d.hold(t, tp,
		sentence{"sent again it is answered alike", by("POST", "/v1/domains", claim).once("a claim"), 201, ""},
		sentence{"a key is for one body", by("POST", "/v1/domains", jsonBody{"domain": "c.invalid"}).once("a claim"), 409, "idempotency_conflict"},
		sentence{"a name is claimed once", by("POST", "/v1/domains", claim), 409, "domain_taken"},
		sentence{"claims have an end", hoard("POST", "/v1/domains", jsonBody{"domain": "last.invalid"}), 409, "too_many_domains"},
		sentence{"the platform's name is its own", by("POST", "/v1/domains", jsonBody{"domain": "localhost"}), 400, "invalid_request"},
		sentence{"a use must exist", by("POST", "/v1/domains", jsonBody{"domain": "d.invalid", "uses": []string{}}), 400, "invalid_request"},
		sentence{"a domain is verified", by("POST", ours+"/verify", nil), 200, ""},
		sentence{"and stays so", by("POST", ours+"/verify", jsonBody{}), 200, ""},
		sentence{"a verified host is made primary", by("POST", ours+"/primary", nil), 200, ""},
		sentence{"a claim is not", by("POST", elsewhere+"/primary", jsonBody{}), 409, "not_verified"},
		sentence{"nor what serves no host", by("POST", post+"/primary", nil), 409, "not_a_host"},
		sentence{"by one tenant", them("POST", theirs+"/verify", nil), 409, "domain_taken"},
		sentence{"a proof that is missing is no error", by("POST", elsewhere+"/verify", nil), 200, ""},
		sentence{"claims are listed", by("GET", "/v1/domains", nil), 200, ""},
		sentence{"a domain is given up", by("DELETE", ours, nil), 204, ""},
	)
}

func (d *description) tenantID(t *testing.T, tp *testPlatform, slug string) string {
	t.Helper()
	return tp.do(t, request{method: "GET", path: "/v1/auth/providers?slug=" + slug}).want(t, 200, "").text("tenant_id")
}

func (d *description) tenants(t *testing.T, tp *testPlatform) {
	by := asKey("", tp.platformKey)
	platform := "/v1/tenants/" + d.tenantID(t, tp, "platform")
	taken, slug := tp.newTenant(t), "t"+strings.ToLower(rand.Text()[:12])
	body := jsonBody{"name": "Acme", "slug": slug, "owner_email": "ada@acme.example", "owner_name": "Ada", "locale": "fr-ca", "region": nil, "database": nil}
	once := rand.Text()
	tenant := "/v1/tenants/" + d.try(t, tp, by("POST", "/v1/tenants", body).once(once)).want(t, 201, "").text("id")

	plain, large := by("DELETE", tenant, "dry_run=true"), by("DELETE", tenant, strings.Repeat(" ", 64<<10+1))
	plain.header = map[string]string{"Content-Type": "text/plain"}
	d.hold(t, tp,
		sentence{"sent again it is answered alike", by("POST", "/v1/tenants", body).once(once), 201, ""},
		sentence{"a key is for one body", by("POST", "/v1/tenants", jsonBody{"name": "Acme", "slug": slug}).once(once), 409, "idempotency_conflict"},
		sentence{"a slug is taken once", by("POST", "/v1/tenants", body), 409, "slug_taken"},
		sentence{"some slugs are reserved", by("POST", "/v1/tenants", jsonBody{"name": "Acme", "slug": "admin"}), 400, "invalid_request"},
		sentence{"a placement must be configured", by("POST", "/v1/tenants", jsonBody{"name": "Acme", "slug": slug + "-2", "database": "nowhere"}), 400, "invalid_request"},
		sentence{"tenants are listed", by("GET", "/v1/tenants?limit=250", nil), 200, ""},
		sentence{"a tenant is shown", by("GET", tenant, nil), 200, ""},
		sentence{"the platform is a tenant", by("GET", platform, nil), 200, ""},
		sentence{"a tenant is changed", by("PUT", tenant, jsonBody{"name": "Acme Ltd", "locale": "en-GB", "slug": slug}), 200, ""},
		sentence{"a tenant is renamed", by("PUT", tenant, jsonBody{"slug": slug + "-2"}), 200, ""},
		sentence{"its old slug is parked", by("POST", "/v1/tenants", jsonBody{"name": "Acme", "slug": slug}), 409, "slug_taken"},
		sentence{"for it alone", by("PUT", tenant, jsonBody{"slug": slug}), 200, ""},
		sentence{"a slug is taken once, by a new name too", by("PUT", tenant, jsonBody{"slug": taken.slug}), 409, "slug_taken"},
		sentence{"some slugs are not given by it either", by("PUT", tenant, jsonBody{"slug": "admin"}), 400, "invalid_request"},
		sentence{"the platform is not renamed", by("PUT", platform, jsonBody{"slug": slug + "-3"}), 409, "platform_protected"},
		sentence{"a tenant is suspended", by("POST", tenant+"/suspend", jsonBody{"active": false}), 200, ""},
		sentence{"and goes on", by("POST", tenant+"/suspend", jsonBody{"active": true}), 200, ""},
		sentence{"the platform is not suspended", by("POST", platform+"/suspend", jsonBody{"active": false}), 409, "platform_protected"},

		sentence{"a deletion can be tried", by("DELETE", tenant+"?dry_run=true", nil), 200, ""},
		sentence{"and put off", by("DELETE", tenant+"?grace_days=7", nil), 202, ""},
		sentence{"for a time", by("DELETE", tenant+"?grace_days=-1", nil), 400, "invalid_request"},
		sentence{"no other way", by("DELETE", tenant+"?dry-run=true", nil), 400, "invalid_request"},
		sentence{"nor by a body", by("DELETE", tenant, jsonBody{"dry_run": true}), 400, "invalid_request"},
		sentence{"of any kind", plain, 415, "unsupported_media_type"},
		sentence{"or size", large, 413, "too_large"},
		sentence{"until then it is shown", by("GET", tenant, nil), 200, ""},
		sentence{"and not changed", by("PUT", tenant, jsonBody{"name": "Acme"}), 409, "tenant_deleting"},
		sentence{"nor resumed", by("POST", tenant+"/suspend", jsonBody{"active": true}), 409, "tenant_deleting"},
		sentence{"nor given other keys", by("POST", tenant+"/keys/rotate", nil), 409, "tenant_deleting"},
		sentence{"nor are any ended", by("POST", tenant+"/keys/x/revoke", nil), 409, "tenant_deleting"},
		sentence{"it is restored", by("POST", tenant+"/restore", nil), 200, ""},
		sentence{"it is deleted", by("DELETE", tenant, nil), 200, ""},
		sentence{"once", by("DELETE", tenant, nil), 200, ""},
		sentence{"and gone", by("GET", tenant, nil), 404, "not_found"},
		sentence{"for ever", by("POST", tenant+"/restore", nil), 404, "not_found"},
		sentence{"its slug too", by("POST", "/v1/tenants", jsonBody{"name": "Acme", "slug": slug}), 409, "slug_taken"},
		sentence{"the platform is not deleted", by("DELETE", platform, nil), 409, "platform_protected"},
	)
}
