package main

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"
)

// avatar is a picture as a data URI.
func avatar(tb testing.TB, kind string, side int) string {
	tb.Helper()
	var b bytes.Buffer
	picture := image.NewPaletted(image.Rect(0, 0, side, side), color.Palette{color.Black, color.White})
	var err error
	switch kind {
	case "png":
		err = png.Encode(&b, picture)
	case "jpeg":
		err = jpeg.Encode(&b, picture, nil)
	case "gif":
		err = gif.Encode(&b, picture, nil)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return "data:image/" + kind + ";base64," + base64.StdEncoding.EncodeToString(b.Bytes())
}

// padded is a picture that is n bytes long as a data URI: what follows its end nobody shows.
func padded(tb testing.TB, n int) string {
	tb.Helper()
	head, text, _ := strings.Cut(avatar(tb, "png", 1), ",")
	data, _ := base64.StdEncoding.DecodeString(text)
	data = append(data, make([]byte, (n-len(head)-1)/4*3-len(data))...)
	return head + "," + base64.StdEncoding.EncodeToString(data)
}

const profilePath, preferencesPath = "/v1/users/me/profile", "/v1/users/me/preferences"

func TestAProfileKeepsWhatIsNotSaid(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	token, id := tt.signIn(t)
	put := func(body any) answer { return tt.at(t, "PUT", profilePath, request{bearer: token, body: body}) }
	picture := avatar(t, "jpeg", 3)

	a := put(map[string]any{"first_name": " Grace ", "last_name": "Höpper", "display_name": strings.Repeat("ü", 100), "avatar_base64": picture}).want(t, 200, "")
	a.wantMembers(t, "", "id,email,name,auth_provider,first_name,last_name,display_name,avatar_base64")
	if a.text("first_name") != "Grace" || a.text("last_name") != "Höpper" || a.text("avatar_base64") != picture || a.text("name") != "Somebody" || a.text("id") != id {
		t.Errorf("changed: %s", a.body)
	}
	a = put(map[string]any{"last_name": nil, "display_name": "  "}).want(t, 200, "")
	if a.text("first_name") != "Grace" || a.field("last_name") != nil || a.field("display_name") != nil || a.text("avatar_base64") != picture {
		t.Errorf("two parts taken away: %s", a.body)
	}
	if shown := tt.at(t, "GET", profilePath, request{bearer: token}).want(t, 200, ""); string(shown.body) != string(a.body) {
		t.Errorf("shown is %s, changed was %s", shown.body, a.body)
	}
	if seen := tt.at(t, "GET", "/v1/users/"+id, request{key: tt.key}).want(t, 200, ""); seen.text("avatar_base64") != picture {
		t.Errorf("an administrator does not see the picture: %s", seen.body)
	}
	if a = put(map[string]any{"avatar_base64": nil}).want(t, 200, ""); a.field("avatar_base64") != nil || a.text("first_name") != "Grace" {
		t.Errorf("picture taken away: %s", a.body)
	}
	if n := tt.count(t, `select count(*) from audit_log where action = 'profile.changed' and actor_id = $1 and resource_id = $1 and entry !~ 'Grace'`, id); n != 3 {
		t.Errorf("three changes are %d entries", n)
	}
}

func TestAProfileIsNobodyElses(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	token, _ := tt.signIn(t)
	other, _ := tt.signIn(t)
	tt.at(t, "PUT", profilePath, request{bearer: token, body: map[string]any{"first_name": "Mine"}}).want(t, 200, "")
	tt.at(t, "PUT", preferencesPath, request{bearer: token, body: map[string]any{"locale": "fr"}}).want(t, 200, "")
	if a := tt.at(t, "GET", profilePath, request{bearer: other}).want(t, 200, ""); a.field("first_name") != nil {
		t.Errorf("somebody else's profile: %s", a.body)
	}
	if a := tt.at(t, "GET", preferencesPath, request{bearer: other}).want(t, 200, ""); a.field("locale") != nil {
		t.Errorf("somebody else's preferences: %s", a.body)
	}
	for _, path := range []string{profilePath, preferencesPath} {
		tt.at(t, "PUT", path, request{key: tt.key, body: map[string]any{}}).want(t, 401, "unauthenticated")
		tt.at(t, "PUT", path, request{bearer: token, body: map[string]any{"email": "a@b.example"}}).want(t, 400, "invalid_request")
	}
	for _, member := range []string{"id", "name", "email", "roles", "auth_provider", "is_owner"} { // not theirs to change
		tt.at(t, "PUT", profilePath, request{bearer: token, body: map[string]any{member: "admin"}}).wantFields(t, member)
	}
}

func TestAProfileTakesNamesAndPicturesOnly(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	token, _ := tt.signIn(t)
	put := func(body any) answer { return tt.at(t, "PUT", profilePath, request{bearer: token, body: body}) }
	for name, value := range map[string]any{
		"too long": strings.Repeat("a", 101), "a line feed": "a\nb", "a turn of direction": "a\u202eb", "a number": 1, "NUL": "a\x00b",
	} {
		for _, member := range []string{"first_name", "last_name", "display_name"} {
			if a := put(map[string]any{member: value}); a.status != 400 || a.text("code") != "invalid_request" {
				t.Errorf("%s, %s: %d %s", member, name, a.status, a.body)
			}
		}
	}
	put(map[string]any{"first_name": 1, "last_name": "a\tb", "avatar_base64": "x"}).wantFields(t, "first_name,last_name,avatar_base64")

	const webp = "data:image/webp;base64,UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA"
	longest := padded(t, 256<<10)
	for name, uri := range map[string]string{"png": avatar(t, "png", 7), "jpeg": avatar(t, "jpeg", 7), "gif": avatar(t, "gif", 7), "webp": webp, "longest": longest} {
		if a := put(map[string]any{"avatar_base64": uri}); a.status != 200 || a.text("avatar_base64") != uri {
			t.Errorf("%s: %d %.200s", name, a.status, a.body)
		}
	}
	script := base64.StdEncoding.EncodeToString([]byte(`<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`))
	for name, uri := range map[string]string{
		"svg": "data:image/svg+xml;base64," + script, "svg called png": "data:image/png;base64," + script, "an address": "https://people.example/me.png",
		"png called gif": strings.Replace(avatar(t, "png", 7), "png", "gif", 1), "without its end": avatar(t, "png", 7) + "=", "in lines": strings.Replace(webp, "UklG", "UklG\n", 1),
		"not base64": "data:image/png,abc", "nothing": "data:image/png;base64,", "too wide": avatar(t, "png", 4097), "too long": longest + "AAAA",
	} {
		if a := put(map[string]any{"avatar_base64": uri}); a.status != 400 || a.field("details.fields.avatar_base64") == nil {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	put(map[string]any{"avatar_base64": padded(t, 400<<10)}).want(t, 413, "too_large")
	if a := tt.at(t, "GET", profilePath, request{bearer: token}).want(t, 200, ""); a.field("avatar_base64") == nil {
		t.Error("a refused picture took the last one away")
	}
}

// A page of people with large pictures ends early, so that no answer is as long as all of them.
func TestAListOfPicturesIsBounded(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	tt.exec(t, `insert into users (id, email, name, roles, avatar, created_at, updated_at)
		select gen_random_uuid(), n || '@people.example', 'N', '{user}', repeat('a', 262144), now(), now() from generate_series(1, 30) n`)
	seen, cursor := map[any]bool{}, ""
	for pages := 1; ; pages++ {
		a := tt.at(t, "GET", "/v1/users?limit=30&q=people"+cursor, request{key: tt.key}).want(t, 200, "")
		if len(a.body) > 3<<20 {
			t.Errorf("an answer of %d bytes", len(a.body))
		}
		for _, u := range a.data(t) {
			if len(u["avatar_base64"].(string)) != 262144 {
				t.Error("a user without the picture")
			}
			seen[u["id"]] = true
		}
		if a.field("has_more") == false {
			break
		}
		if cursor = "&cursor=" + a.text("next_cursor"); pages > 30 {
			t.Fatal("the list has no end")
		}
	}
	if len(seen) != 30 {
		t.Errorf("%d users of 30", len(seen))
	}
}

func TestPreferencesAreKnownOnes(t *testing.T) {
	t.Parallel()
	tt := sharedPlatform(t).newTenant(t)
	token, _ := tt.signIn(t)
	put := func(body any) answer { return tt.at(t, "PUT", preferencesPath, request{bearer: token, body: body}) }
	tt.at(t, "GET", preferencesPath, request{bearer: token}).want(t, 200, "").wantMembers(t, "", "locale,timezone,date_format,time_format")

	a := put(map[string]any{"locale": "de-ch", "timezone": "America/Argentina/Buenos_Aires", "date_format": "DD.MM.YYYY", "time_format": "24h"}).want(t, 200, "")
	if a.text("locale") != "de-CH" || a.text("timezone") != "America/Argentina/Buenos_Aires" || a.text("date_format") != "DD.MM.YYYY" || a.text("time_format") != "24h" {
		t.Errorf("said: %s", a.body)
	}
	a = put(map[string]any{"locale": nil}).want(t, 200, "")
	if a.field("locale") != nil || a.text("timezone") != "America/Argentina/Buenos_Aires" {
		t.Errorf("one taken away: %s", a.body)
	}
	if shown := tt.at(t, "GET", preferencesPath, request{bearer: token}).want(t, 200, ""); string(shown.body) != string(a.body) {
		t.Errorf("shown is %s, changed was %s", shown.body, a.body)
	}
	for member, values := range map[string][]any{
		"locale":      {"en", "fr-CA", "zh-Hant-TW"},
		"timezone":    {"UTC", "Etc/GMT+5", "Europe/Berlin", "America/Port-au-Prince", "EST5EDT"},
		"date_format": {"YYYY-MM-DD", "MM/DD/YYYY", "D MMM YYYY", "MMMM D, YYYY", "D. M. YYYY", "yyyy-MM-dd", "short", "iso"},
		"time_format": {"12h", "24h", "HH:mm", "H.mm", "HH:mm:ss", "h:mm a", "hh:mm A"},
	} {
		for _, v := range values {
			if a := put(map[string]any{member: v}); a.status != 200 || a.field(member) != v {
				t.Errorf("%s %v: %d %s", member, v, a.status, a.body)
			}
		}
	}
	for member, values := range map[string][]any{
		"locale":      {"", "klingon!", "e", 1, strings.Repeat("en-", 20)},
		"timezone":    {"", "Local", "local", "europe/berlin", "../../etc/passwd", "/etc/localtime", "posixrules", "posix/UTC", "Mars/Olympus", "CEST", "+02:00"},
		"date_format": {"", "YYYY", "YYYY-MM", "YYYY-MM-DD-DD", "YYYYMMDD", "YYYY-MM-DD ", "-YYYY-MM-DD", "YYYY-YY-DD", "<b>YYYY</b>", "DD-MM-MM"},
		"time_format": {"", "25h", "hh:mm", "HH:mm a", "mm:HH", "HH:mm\n"},
	} {
		for _, v := range values {
			if a := put(map[string]any{member: v}); a.status != 400 || a.field("details.fields."+member) == nil {
				t.Errorf("%s %q: %d %s", member, v, a.status, a.body)
			}
		}
	}
}
