// Package relocation takes the rows of a schema to a schema of the same tables in another database, without losing a write.
//
//	Fence --> Copy --> Close --> whoever asked says where the rows are from now on --> the schema is dropped here
//	   '--------'--------'-----> or Lift, and it is as it was
//
// The fence stands in the database itself: every table refuses to be written, with an error that says "try again in a moment".
// So it does not matter who knows of the move. A process that has not heard, cannot hear, or is of a version that knows nothing
// of it writes what is copied, or nothing. Reading goes on, until shortly
// before the rows are said to be elsewhere.
//
// Traps known here: the fence must wait for those who are writing, or the copy would miss what they commit, and those who come
// meanwhile wait behind it; so it waits for half a second and then lets them pass and tries again. And a copied row must not
// do again what it did when it was written, so triggers rest during the copy.
package relocation

import "errors"

// Report is what was copied.
type Report struct {
	Tables int
	Rows   int64
}

// ErrBusy means that the tables were in use for so long that the fence could not be put up.
var ErrBusy = errors.New("its tables are in use: somebody writes to them all the time, or holds them")
