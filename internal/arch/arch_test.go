package arch

import "testing"

// rule is one thing that holds everywhere in the tree.
type rule struct {
	name   string
	reason string
	// check returns a line for each violation, starting with the file or folder.
	check func(tree) []string
}

// rules is the whole list; each is in the file of its subject.
var rules = []rule{
	importsPointLeft,
	pagesAskTheAPI,
	sqlFiles,
	httpFiles,
	vaultFiles,
	pools,
	oneMint,
	oneSigner,
	listedActions,
	documented,
	named,
	noTesting,
	topLevel,
}

func TestTree(t *testing.T) {
	t.Parallel()
	loaded := load(t)
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			for _, violation := range r.check(loaded) {
				t.Errorf("%s\n\twhy: %s", violation, r.reason)
			}
		})
	}
}
