package letter

const notYouDE = "Wenn Sie das nicht waren, ändern Sie sofort Ihr Passwort und sagen Sie es Ihrer Administration."

var german = wording{
	greeting: "Guten Tag {{.name}},", greetingUnnamed: "Guten Tag,",
	signature: "{{.tenant}}",
	link:      "Wenn die Schaltfläche nicht geht, öffnen Sie diese Adresse:",
	letters: map[Kind]words{
		Invitation: {"Ihr Konto bei {{.tenant}}", []string{"für Sie wurde bei {{.tenant}} ein Konto mit der Adresse {{.address}} angelegt.",
			"Wählen Sie ein Passwort, um es zu benutzen."}, "Passwort wählen", []string{"Der Link gilt einmal und {{.valid_for}} lang. Wenn Sie das nicht erwartet haben, brauchen Sie nichts zu tun."}},
		VerifyEmail: {"Bestätigen Sie Ihre Adresse für {{.tenant}}", []string{"bitte bestätigen Sie, dass {{.address}} Ihre Adresse ist."},
			"Adresse bestätigen", []string{"Der Link gilt einmal und {{.valid_for}} lang. Wenn Sie nicht darum gebeten haben, brauchen Sie nichts zu tun."}},
		ResetPassword: {"Ein neues Passwort für {{.tenant}}", []string{"jemand, hoffentlich Sie, hat für Ihr Konto bei {{.tenant}} ein neues Passwort verlangt."},
			"Neues Passwort wählen", []string{"Der Link gilt einmal und {{.valid_for}} lang. Wenn Sie nicht darum gebeten haben, brauchen Sie nichts zu tun: Ihr Passwort bleibt, wie es war."}},
		ConfirmEmailChange: {"Bestätigen Sie Ihre neue Adresse für {{.tenant}}", []string{"Ihr Konto bei {{.tenant}} soll die Adresse {{.address}} bekommen."},
			"Neue Adresse bestätigen", []string{"Der Link gilt einmal und {{.valid_for}} lang. Wenn Sie nicht darum gebeten haben, brauchen Sie nichts zu tun."}},

		EmailChanged: {"Die Adresse Ihres Kontos bei {{.tenant}} ändert sich", []string{
			"die Adresse Ihres Kontos bei {{.tenant}} wird von dieser auf {{if .new_email}}{{.new_email}}{{else}}eine andere{{end}} geändert ({{.time}}).", notYouDE}, "", nil},
		PasswordChanged: {"Ihr Passwort bei {{.tenant}} wurde geändert", []string{
			"das Passwort Ihres Kontos bei {{.tenant}} wurde geändert ({{.time}}).", notYouDE}, "", nil},
		PasswordResetDone: {"Ihr Passwort bei {{.tenant}} wurde neu gesetzt", []string{
			"für Ihr Konto bei {{.tenant}} wurde über einen Link, den wir an diese Adresse geschickt haben, ein neues Passwort gesetzt ({{.time}}). Sie wurden überall abgemeldet.", notYouDE}, "", nil},
		AccountLocked: {"Viele misslungene Anmeldeversuche bei {{.tenant}}", []string{
			"jemand hat oft versucht, sich mit Ihrem Konto bei {{.tenant}} anzumelden, ohne Erfolg ({{.time}}). Für eine Weile nimmt es keine Versuche mehr an.",
			"Sie selbst können sich gleich wieder anmelden, wenn Sie ein neues Passwort verlangen, oder mit einem Passkey."}, "", nil},
		AccountExists: {"Sie haben ein Konto bei {{.tenant}}", []string{
			"jemand, hoffentlich Sie, wollte {{.address}} für ein Konto bei {{.tenant}} verwenden. Es gibt schon eines mit dieser Adresse. Wenn Sie das Passwort nicht wissen, verlangen Sie ein neues."}, "", nil},
		AccountDeleted: {"Ihr Konto bei {{.tenant}} wurde gelöscht", []string{
			"die Administration hat Ihr Konto bei {{.tenant}} gelöscht ({{.time}}), mit allem, was darin war.",
			"Wenn Sie das nicht erwartet haben, fragen Sie Ihre Administration."}, "", nil},
		FactorAdded: {"Ein zweiter Faktor kam bei {{.tenant}} hinzu", []string{
			"zu Ihrem Konto bei {{.tenant}} kam ein zweiter Faktor hinzu ({{.time}}){{if .device_name}}: {{.device_name}}{{end}}.", notYouDE}, "", nil},
		FactorRemoved: {"Ein zweiter Faktor wurde bei {{.tenant}} entfernt", []string{
			"aus Ihrem Konto bei {{.tenant}} wurde ein zweiter Faktor entfernt ({{.time}}){{if .device_name}}: {{.device_name}}{{end}}.", notYouDE}, "", nil},
		FactorsReset: {"Ihre zweiten Faktoren bei {{.tenant}} wurden zurückgesetzt", []string{
			"die Administration hat alle zweiten Faktoren Ihres Kontos bei {{.tenant}} entfernt ({{.time}}). Bei der nächsten Anmeldung werden Sie vielleicht gebeten, einen neuen einzurichten.",
			"Wenn Sie nicht darum gebeten haben, sagen Sie es Ihrer Administration."}, "", nil},
		BackupCodeUsed: {"Ein Ersatzcode wurde bei {{.tenant}} benutzt", []string{
			"zur Anmeldung mit Ihrem Konto bei {{.tenant}} wurde ein Ersatzcode benutzt ({{.time}}).{{if .remaining}} Übrige Codes: {{.remaining}}.{{end}}", notYouDE}, "", nil},
		BackupCodesReplaced: {"Ihre Ersatzcodes bei {{.tenant}} wurden erneuert", []string{
			"die Ersatzcodes Ihres Kontos bei {{.tenant}} wurden durch neue ersetzt ({{.time}}). Die alten gelten nicht mehr.", notYouDE}, "", nil},
		AuthenticatorSuspect: {"Ein Sicherheitsschlüssel von Ihnen wurde vielleicht kopiert", []string{
			"eine Anmeldung mit Ihrem Konto bei {{.tenant}} wurde abgelehnt ({{.time}}): was der Sicherheitsschlüssel{{if .device_name}} {{.device_name}}{{end}} von sich sagte, lässt vermuten, dass es eine Kopie von ihm gibt.",
			"Entfernen Sie ihn aus Ihrem Konto und benutzen Sie einen anderen."}, "", nil},

		DomainFailing: {"{{.domain}} geht {{.tenant}} bald verloren", []string{
			"der DNS-Eintrag, der zeigt, dass {{.domain}} zu {{.tenant}} gehört, fehlt oder hat einen anderen Wert ({{.time}}). Ist er bis {{.until}} nicht wieder da, kann sich unter {{.domain}} niemand mehr anmelden, und Adressen mit dieser Domain führen zu niemandem.",
			"Name des Eintrags: {{.record}}", "Typ: TXT", "Wert: {{.value}}",
			"Ist der Eintrag wieder da, brauchen Sie sonst nichts zu tun. Sie bekommen dies, weil Sie {{.tenant}} administrieren."}, "", nil},
		DomainLost: {"{{.domain}} ist {{.tenant}} verloren gegangen", []string{
			"der DNS-Eintrag, der zeigt, dass {{.domain}} zu {{.tenant}} gehört, hat zu lange gefehlt. Unter dieser Domain wird nichts mehr angeboten ({{.time}}), und andere können sie für sich nachweisen.",
			"Um sie wieder zu bekommen, setzen Sie den Eintrag wieder und lassen Sie die Domain prüfen.", "Name des Eintrags: {{.record}}", "Typ: TXT", "Wert: {{.value}}"}, "", nil},
	},
}
