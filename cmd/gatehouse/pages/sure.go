package pages

// surePage asks before something is done that cannot be taken back.
type surePage struct {
	Heading, Text, Button  string
	Action, Back, BackText string
	Hidden                 map[string]string // what the form sends
}

// askSure shows it. key is in the catalogue, with .heading, .text and .button behind it; name is what it is done to.
func (v *visit) askSure(key, name, action, back string, hidden map[string]string) error {
	return v.show("sure", surePage{Heading: v.T(key+".heading", "name", name), Text: v.T(key+".text", "name", name), Button: v.T(key + ".button"),
		Action: v.Page(action), Back: v.Page(back), BackText: v.T("common.back"), Hidden: hidden})
}
