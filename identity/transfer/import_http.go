package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/identity"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/rest"
)

// importResultBody is a line of the answer. One without line is the last of an import that ended early.
type importResultBody struct {
	Line    int            `json:"line,omitempty"`
	Status  ImportStatus   `json:"status"`
	Email   identity.Email `json:"email,omitempty"`
	ID      *id.User       `json:"id,omitempty"`
	Code    string         `json:"code,omitempty"`
	Message string         `json:"message,omitempty"`
}

func renderImport(r ImportResult) importResultBody {
	b := importResultBody{Line: r.Line, Status: r.Status, Email: r.Email, Code: r.Code, Message: r.Message}
	if !r.ID.IsZero() {
		b.ID = &r.ID
	}
	return b
}

// Mount adds the import of users. It comes before what takes the name after /v1/users/ for an id.
func (s *Transfers) Mount(r *mux.Router, g *identity.Guard) {
	r.Handle("/v1/users/import", rest.Methods{http.MethodPost: s.importing(g, "users:write")})
}

// importing answers while it reads. The credential was judged before the first line, and is judged again before each
// batch: what was taken away ends the import.
func (s *Transfers) importing(g *identity.Guard, scope identity.Scope) rest.Handler {
	return g.Streaming(scope, func(w http.ResponseWriter, r *http.Request, by identity.Caller) error {
		if err := rest.WantsLines(r); err != nil {
			return err
		}
		answer := rest.NewLines(w, r)
		_, err := s.Import(r.Context(), by, Importing{
			In: answer.Body(), Vouch: by.Key != nil,
			Still: func(context.Context) error { return g.Still(r, scope) },
			Out: func(results []ImportResult) error {
				for _, one := range results {
					if err := writeLine(answer, renderImport(one)); err != nil {
						return err
					}
				}
				return nil
			},
		})
		if err != nil && !answer.Begun() {
			return err
		}
		if err != nil {
			e := problem.From(err)
			rest.LogFailure(r.Context(), err)
			err = writeLine(answer, importResultBody{Status: "aborted", Code: e.Code, Message: e.Message})
		}
		return errors.Join(err, answer.Close())
	})
}

func writeLine(to *rest.Lines, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return to.Write(append(text, '\n'))
}
