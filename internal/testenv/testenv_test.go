package testenv_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func TestDatabaseIsFreshAndDropped(t *testing.T) { // not parallel: what follows the subtest needs its clean-up done
	var first string
	t.Run("first", func(t *testing.T) {
		first = testenv.Database(t)
		conn := connect(t, first)
		if _, err := conn.Exec(t.Context(), "create table mine (id int)"); err != nil {
			t.Fatal(err)
		}
	})
	if conn, err := pgx.Connect(t.Context(), first); err == nil {
		_ = conn.Close(t.Context())
		t.Error("the first test's database is still there")
	}
	var found *string
	if err := connect(t, testenv.Database(t)).QueryRow(t.Context(), "select to_regclass('mine')::text").Scan(&found); err != nil {
		t.Fatal(err)
	}
	if found != nil {
		t.Errorf("a second test sees the table %s of the first", *found)
	}
}

func TestVaultIsUnsealed(t *testing.T) {
	t.Parallel()
	address, token := testenv.Vault(t)
	if token == "" {
		t.Error("no root token")
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/v1/sys/seal-status", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var status struct{ Initialized, Sealed bool }
	if err := json.NewDecoder(answer.Body).Decode(&status); err != nil {
		t.Fatal(err)
	}
	if !status.Initialized || status.Sealed {
		t.Errorf("the Vault is not ready: %+v", status)
	}
}

// connect leaves its connection open when the test ends, as a failing test would.
func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}
