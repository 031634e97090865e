package pages

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/internal/problem"
	"github.com/gatehouse-id/gatehouse/internal/rest"
)

//go:embed assets
var assetFiles embed.FS

// asset is a file that browsers keep for ever: its name holds what is in it.
type asset struct {
	media string
	data  []byte
}

var mediaTypes = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}

// assets are all of them by their public name, and the public names by our own.
var assets = sync.OnceValues(func() (byName map[string]asset, names map[string]string) {
	byName, names = map[string]asset{}, map[string]string{}
	files, err := fs.ReadDir(assetFiles, "assets")
	if err != nil {
		panic("pages: assets: " + err.Error()) // they are in the binary
	}
	for _, f := range files {
		data, err := assetFiles.ReadFile(path.Join("assets", f.Name()))
		if err != nil {
			panic("pages: asset " + f.Name() + ": " + err.Error())
		}
		sum := sha256.Sum256(data)
		ext := path.Ext(f.Name())
		name := strings.TrimSuffix(f.Name(), ext) + "." + base64.RawURLEncoding.EncodeToString(sum[:9]) + ext
		byName[name], names[f.Name()] = asset{mediaTypes[ext], data}, name
	}
	return byName, names
})

// mountAssets serves them at every host, to anybody: they are the same for all tenants.
func mountAssets(r *mux.Router) {
	r.Handle("/assets/{name}", rest.Methods{http.MethodGet: func(w http.ResponseWriter, r *http.Request) error {
		byName, _ := assets()
		a, ok := byName[mux.Vars(r)["name"]]
		if !ok {
			return problem.NotFound()
		}
		w.Header().Set("Content-Type", a.media)
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		_, _ = w.Write(a.data)
		return nil
	}})
}

// Asset is where a file is.
func (v *visit) Asset(name string) string {
	_, names := assets()
	return v.base + "/assets/" + names[name]
}
