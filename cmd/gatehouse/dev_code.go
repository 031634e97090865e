package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/spf13/cobra"
)

// devStateVariable names the state folder to gatehouse dev code, in a shell that has read the folder's env.
const devStateVariable = "GATEHOUSE_DEV_STATE"

// devCodeCommand is the authenticator app of the demo.
func devCodeCommand(p process, state *string) *cobra.Command {
	return &cobra.Command{
		Use: "code", Short: "Print the current code of the demo user with an authenticator app", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if named := p.getenv(devStateVariable); named != "" && !c.Flags().Changed("state") {
				*state = named
			}
			text, err := os.ReadFile(devState{dir: absolute(*state)}.path("dev.json"))
			if err != nil {
				return fmt.Errorf("there is no development platform in %s; start one with gatehouse dev", *state)
			}
			var f devFile
			if err := json.Unmarshal(text, &f); err != nil {
				return err
			}
			for _, t := range f.Tenants {
				for _, u := range t.Users {
					if u.TOTPSecret == "" {
						continue
					}
					code, err := totp.GenerateCode(u.TOTPSecret, time.Now())
					if err == nil {
						fmt.Fprintln(p.stdout, code)
					}
					return err
				}
			}
			return errors.New("this platform has no demo user with an authenticator app; remove its state folder to start afresh")
		},
	}
}
