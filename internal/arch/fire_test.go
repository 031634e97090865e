package arch

import (
	"strings"
	"testing"
)

// cases show each rule a small tree that breaks it and one that does not. The key is a path, the value what follows the
// package clause.
var cases = []struct {
	rule   rule
	broken map[string]string
	sound  map[string]string
}{
	{
		importsPointLeft,
		map[string]string{"tenancy/a.go": `import "` + module + `/identity"`, "internal/x/a.go": `import "` + module + `/tenancy"`},
		map[string]string{
			"identity/a.go":         `import "` + module + `/tenancy"`,
			"mfa/a.go":              `import "` + module + `/identity/password"`,
			"internal/testenv/a.go": `import "` + module + `/tenancy"`,
			"tenancy/a_test.go":     `import "` + module + `/identity/identitytest"`,
		},
	},
	{
		pagesAskTheAPI,
		map[string]string{"cmd/gatehouse/pages/a.go": `import "` + module + `/identity"`},
		map[string]string{"cmd/gatehouse/pages/a.go": `import "` + module + `/tenancy"`, "cmd/gatehouse/pages/a_test.go": `import "` + module + `/mfa"`, "cmd/gatehouse/a.go": `import "` + module + `/mfa"`},
	},
	{
		sqlFiles,
		map[string]string{"tenancy/slug.go": `import "github.com/jackc/pgx/v5"`, "internal/problem/a.go": `import "github.com/jackc/pgx/v5/pgconn"`},
		map[string]string{
			"tenancy/slug_sql.go": `import "github.com/jackc/pgx/v5"`, "tenancy/db.go": `import "github.com/jackc/pgx/v5"`,
			"identity/a_test.go": `import "github.com/jackc/pgx/v5"`, "migrations/a.go": `import "github.com/jackc/pgx/v5"`,
		},
	},
	{
		httpFiles,
		map[string]string{"identity/login.go": `import "net/http"`, "mfa/totp/a.go": `import "github.com/gorilla/mux"`},
		map[string]string{"identity/login_http.go": `import "net/http"`, "internal/rest/a.go": `import "net/http"`, "tenancy/custody/a_vault.go": `import "net/http"`, "cmd/gatehouse/a.go": `import "net/http"`},
	},
	{
		vaultFiles,
		map[string]string{"tenancy/key.go": `import "github.com/hashicorp/vault/api"`, "cmd/gatehouse/a.go": `import "github.com/hashicorp/vault/api"`},
		map[string]string{"tenancy/key_vault.go": `import "github.com/hashicorp/vault/api"`, "tenancy/key_test.go": `import "github.com/hashicorp/vault/api"`},
	},
	{
		pools,
		map[string]string{"identity/a_sql.go": `import "github.com/jackc/pgx/v5/pgxpool"`},
		map[string]string{"tenancy/db.go": `import "github.com/jackc/pgx/v5/pgxpool"`, "cmd/gatehouse/a.go": `import "github.com/jackc/pgx/v5/pgxpool"`},
	},
	{
		oneMint,
		map[string]string{"identity/token.go": `var a = jwt.NewWithClaims(m, c)`, "mfa/a.go": `var a, _ = token.SignedString(k)`},
		map[string]string{"identity/token.go": `var a = jwt.NewWithClaims(m, c)`, "identity/a_test.go": `var a = jwt.NewWithClaims(m, c)`},
	},
	{
		oneSigner,
		map[string]string{"identity/login.go": `var a, _ = custodian.Sign(ctx, t, k, b)`, "tenancy/audit/list.go": `var a, _ = l.Signer.Sign(ctx, t, k, b)`},
		map[string]string{"identity/token_refresh.go": `var a, _ = k.Signer.Sign(ctx, t, k, b)`, "tenancy/audit/seal.go": `var a, _ = l.Signer.Sign(ctx, t, k, b)`},
	},
	{
		listedActions,
		map[string]string{"identity/user.go": `var e = audit.Event{Action: "user.eaten"}`, "mfa/a.go": `var e = f.event("factor.added")`,
			"tenancy/audit/action.go": `var actions = map[Action]string{"user.created": ""}`},
		map[string]string{"identity/user.go": `var e = audit.Event{Action: "user.created"}`, "identity/a_test.go": `var a = "user.eaten"`,
			"tenancy/audit/action.go": `var actions = map[Action]string{"user.created": ""}`},
	},
	{oneMint, map[string]string{"identity/a.go": ``}, map[string]string{"tenancy/a.go": ``}},
	{documented, map[string]string{"tenancy/a.go": ``}, map[string]string{"tenancy/a_test.go": ``}},
	{named, map[string]string{"internal/util/a.go": ``, "identity/models/a.go": ``}, map[string]string{"internal/utility/a.go": ``}},
	{
		noTesting,
		map[string]string{"tenancy/a.go": `import "testing"`, "cmd/gatehouse/a.go": `import "` + module + `/internal/testenv"`, "identity/a.go": `import "testing/fstest"`},
		map[string]string{"tenancy/tenancytest/a.go": `import "testing"`, "internal/testenv/a.go": `import "testing"`, "tenancy/a_test.go": `import "testing"`},
	},
}

func TestRulesFire(t *testing.T) {
	t.Parallel()
	for _, c := range cases {
		broken := c.rule.check(fixture(t, c.broken))
		for name := range c.broken {
			folder, _, _ := strings.Cut(name, "/")
			if !strings.Contains(strings.Join(broken, "\n"), folder) {
				t.Errorf("%s: does not see what is wrong with %s; violations: %q", c.rule.name, name, broken)
			}
		}
		if sound := c.rule.check(fixture(t, c.sound)); len(sound) > 0 {
			t.Errorf("%s: finds fault with a sound tree: %q", c.rule.name, sound)
		}
	}
}

func TestDocumentedAcceptsAComment(t *testing.T) {
	t.Parallel()
	s, err := parse("tenancy/a.go", []byte("// Package tenancy knows whose a request is.\npackage tenancy\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := documented.check(tree{sources: []source{s}}); len(got) > 0 {
		t.Errorf("a documented package is refused: %q", got)
	}
}

func TestTopLevelFires(t *testing.T) {
	t.Parallel()
	got := topLevel.check(tree{top: []string{"tenancy", "README.md", ".dev", "pkg", "x.prof"}})
	if len(got) != 1 || !strings.HasPrefix(got[0], "pkg ") {
		t.Errorf("violations %q, want the one about pkg", got)
	}
}

func fixture(t *testing.T, files map[string]string) tree {
	t.Helper()
	var made tree
	for name, body := range files {
		folders := strings.Split(name, "/")
		s, err := parse(name, []byte("package "+folders[len(folders)-2]+"\n"+body))
		if err != nil {
			t.Fatal(err)
		}
		made.sources = append(made.sources, s)
	}
	return made
}
