package settings

// Sessions says in how many places somebody may be signed in.
type Sessions struct {
	// MaxPerUser, 1 to MostSessions; whoever signs in once more ends their oldest.
	MaxPerUser int `json:"max_per_user"`
}

// MostSessions is how many sessions a user has where the tenant does not say less.
const MostSessions = 100
