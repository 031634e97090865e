package policy

import "strings"

// families of browsers by what they call themselves, the more particular first: Edge and Opera say that they are Chrome, and
// Chrome says that it is Safari.
var families = []struct{ mark, name string }{
	{"Edg", "edge"}, {"OPR/", "opera"}, {"Firefox/", "firefox"}, {"FxiOS/", "firefox"}, {"Chrome/", "chrome"}, {"CriOS/", "chrome"},
	{"Chromium/", "chrome"}, {"Safari/", "safari"},
}

// AgentFamily is the family of a browser that calls itself so. Clients can call themselves what they like.
func AgentFamily(userAgent string) string {
	for _, f := range families {
		if strings.Contains(userAgent, f.mark) {
			return f.name
		}
	}
	return "other"
}
