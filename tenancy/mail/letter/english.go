package letter

const notYouEN = "If that was not you, change your password at once and tell your administrator."

var english = wording{
	greeting: "Hello {{.name}},", greetingUnnamed: "Hello,",
	signature: "{{.tenant}}",
	link:      "If the button does not work, open this address:",
	letters: map[Kind]words{
		Invitation: {"Your account at {{.tenant}}", []string{"an account has been made for you at {{.tenant}}, for the address {{.address}}.",
			"Choose a password to use it."}, "Choose a password", []string{"The link works once and for {{.valid_for}}. If you did not expect this, you need not do anything."}},
		VerifyEmail: {"Confirm your address for {{.tenant}}", []string{"please confirm that {{.address}} is your address."},
			"Confirm the address", []string{"The link works once and for {{.valid_for}}. If you did not ask for this, you need not do anything."}},
		ResetPassword: {"A new password for {{.tenant}}", []string{"somebody, we hope you, has asked for a new password for your account at {{.tenant}}."},
			"Choose a new password", []string{"The link works once and for {{.valid_for}}. If you did not ask for this, you need not do anything: your password is as it was."}},
		ConfirmEmailChange: {"Confirm your new address for {{.tenant}}", []string{"your account at {{.tenant}} is to have the address {{.address}}."},
			"Confirm the new address", []string{"The link works once and for {{.valid_for}}. If you did not ask for this, you need not do anything."}},

		EmailChanged: {"The address of your account at {{.tenant}} is to change", []string{
			"the address of your account at {{.tenant}} is changed from this one to {{if .new_email}}{{.new_email}}{{else}}another one{{end}} ({{.time}}).", notYouEN}, "", nil},
		PasswordChanged: {"Your password at {{.tenant}} was changed", []string{
			"the password of your account at {{.tenant}} was changed ({{.time}}).", notYouEN}, "", nil},
		PasswordResetDone: {"Your password at {{.tenant}} was set anew", []string{
			"a new password was set for your account at {{.tenant}} by a link that we sent to this address ({{.time}}). You have been signed out everywhere.", notYouEN}, "", nil},
		AccountLocked: {"Many failed attempts to sign in at {{.tenant}}", []string{
			"somebody has tried many times to sign in to your account at {{.tenant}} and failed ({{.time}}). For a while it takes no further attempts.",
			"You can sign in at once by asking for a new password, or with a passkey."}, "", nil},
		AccountExists: {"You have an account at {{.tenant}}", []string{
			"somebody, we hope you, has wanted to use {{.address}} for an account at {{.tenant}}. There is one with this address. If you do not know its password, ask for a new one."}, "", nil},
		AccountDeleted: {"Your account at {{.tenant}} was deleted", []string{
			"your account at {{.tenant}} was deleted by an administrator ({{.time}}), with everything in it.",
			"If you did not expect that, ask your administrator."}, "", nil},
		FactorAdded: {"A second factor was added at {{.tenant}}", []string{
			"a second factor was added to your account at {{.tenant}} ({{.time}}){{if .device_name}}: {{.device_name}}{{end}}.", notYouEN}, "", nil},
		FactorRemoved: {"A second factor was removed at {{.tenant}}", []string{
			"a second factor was removed from your account at {{.tenant}} ({{.time}}){{if .device_name}}: {{.device_name}}{{end}}.", notYouEN}, "", nil},
		FactorsReset: {"Your second factors at {{.tenant}} were reset", []string{
			"an administrator has removed all second factors of your account at {{.tenant}} ({{.time}}). You may be asked to set one up at your next sign-in.",
			"If you did not ask for that, tell your administrator."}, "", nil},
		BackupCodeUsed: {"A backup code was used at {{.tenant}}", []string{
			"a backup code was used to sign in to your account at {{.tenant}} ({{.time}}).{{if .remaining}} Codes left: {{.remaining}}.{{end}}", notYouEN}, "", nil},
		BackupCodesReplaced: {"Your backup codes at {{.tenant}} were replaced", []string{
			"the backup codes of your account at {{.tenant}} were replaced by new ones ({{.time}}). The old ones no longer work.", notYouEN}, "", nil},
		AuthenticatorSuspect: {"A security key of yours may have been copied", []string{
			"a sign-in to your account at {{.tenant}} was refused ({{.time}}): what the security key{{if .device_name}} {{.device_name}}{{end}} said of itself suggests that there is a copy of it.",
			"Remove it from your account and use another one."}, "", nil},

		DomainFailing: {"{{.domain}} is about to be lost for {{.tenant}}", []string{
			"the DNS record that proves that {{.domain}} belongs to {{.tenant}} is gone or has another value ({{.time}}). If it is not put back until {{.until}}, people can no longer sign in at {{.domain}}, and addresses of it lead to nobody.",
			"Name of the record: {{.record}}", "Type: TXT", "Value: {{.value}}",
			"Once the record is back you need not do anything more. You get this as an administrator of {{.tenant}}."}, "", nil},
		DomainLost: {"{{.domain}} is lost for {{.tenant}}", []string{
			"the DNS record that proves that {{.domain}} belongs to {{.tenant}} has been missing for too long. The domain is no longer served ({{.time}}), and others may prove it as theirs.",
			"To have it again, put the record back and have the domain verified.", "Name of the record: {{.record}}", "Type: TXT", "Value: {{.value}}"}, "", nil},
	},
}
