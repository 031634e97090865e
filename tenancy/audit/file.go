package audit

import (
	"encoding/json"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// A file is an exported piece of a log, a line of JSON each (application/x-ndjson):
//
//	header   whose log it is, and the hash before its first entry
//	key ...  the tenant's public keys
//	entry    ...each with its number, its hash and the text the hash is over
//	seal     ...behind the entry whose hash it signs; the last line but one is always a seal
//	end      that nothing is missing behind
//
// In this order it is checked in one pass and in constant memory.
const (
	kindHeader = "header"
	kindKey    = "key"
	kindEntry  = "entry"
	kindSeal   = "seal"
	kindEnd    = "end"
)

// fileFormat names the form of the file and the rule of the chain.
const fileFormat = "gatehouse-audit-log/1"

type headerLine struct {
	Kind     string    `json:"kind"`
	Format   string    `json:"format"`
	Tenant   id.Tenant `json:"tenant_id"`
	First    int64     `json:"first_seq"`
	Before   Hash      `json:"hash_before"`
	Exported time.Time `json:"exported_at"`
}

type keyLine struct {
	Kind string          `json:"kind"`
	JWK  json.RawMessage `json:"jwk"`
}

type entryLine struct {
	Kind  string `json:"kind"`
	Seq   int64  `json:"seq"`
	Hash  Hash   `json:"hash"`
	Entry string `json:"entry"`
}

type sealLine struct {
	Kind string `json:"kind"`
	JWS  string `json:"jws"`
}

type endLine struct {
	Kind    string `json:"kind"`
	Entries int64  `json:"entries"`
}
