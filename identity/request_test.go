package identity

import (
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/strictjson"
)

// A type the decoder cannot hold panics at its first request; here it does before there is one.
func TestEveryRequestTypeCanBeDecoded(t *testing.T) {
	t.Parallel()
	strictjson.Check[loginRequest]()
	strictjson.Check[refreshRequest]()
	strictjson.Check[createUserRequest]()
	strictjson.Check[updateUserRequest]()
	strictjson.Check[suspendUserRequest]()
	strictjson.Check[profileRequest]()
	strictjson.Check[preferencesRequest]()
	strictjson.Check[changePasswordRequest]()
	strictjson.Check[createAPIKeyRequest]()
}
