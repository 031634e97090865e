package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// visitor is somebody in front of a browser, with a profile of their own: they read labels, type into fields and press what
// has a name. Whatever the browser's console complains of fails the test, violations of the pages' CSP above all.
type visitor struct {
	tab
	t        *testing.T
	keyboard bool // they use nothing else

	mu    sync.Mutex
	wrong []string
}

// desktop and phone are the widths that pages are looked at.
var (
	desktop = [2]int64{1200, 900}
	phone   = [2]int64{360, 780}
)

// visitor opens a browser window at the tenant's host.
func (tt testTenant) visitor(t *testing.T, browser context.Context, size [2]int64) *visitor {
	t.Helper()
	v := &visitor{t: t}
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext(), chromedp.WithListener(func(ev any) {
		if x, ok := ev.(*runtime.EventExceptionThrown); ok {
			v.complains(x.ExceptionDetails.Text + " " + x.ExceptionDetails.URL)
		}
		if c, ok := ev.(*runtime.EventConsoleAPICalled); ok && c.Type == runtime.ConsoleAPICalledTypeError {
			v.complains("console.error is called")
		}
		e, ok := ev.(*cdplog.EventEntryAdded)
		if !ok || e.Entry.Level != cdplog.EntryLevelError {
			return
		}
		// An answer that is a page of its own, with a status that says so, is no fault of the page.
		if strings.HasPrefix(e.Entry.Text, "Failed to load resource: the server responded with a status of 4") && !strings.Contains(e.Entry.URL, "/assets/") {
			return
		}
		v.complains(e.Entry.Text + " " + e.Entry.URL)
	}))
	v.tab = tab{tt, ctx}
	t.Cleanup(func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		for _, text := range v.wrong {
			t.Errorf("the browser complains: %s", text)
		}
	})
	t.Cleanup(cancel)
	command(t, v.tab, cdplog.Enable, cdp.Empty{})
	v.resize(size)
	return v
}

func (v *visitor) complains(text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.wrong = append(v.wrong, text)
}

func (v *visitor) resize(size [2]int64) {
	v.t.Helper()
	act(v, chromedp.EmulateViewport(size[0], size[1]))
}

// withoutScript has the browser run none of the pages' scripts.
func (v *visitor) withoutScript() *visitor {
	v.t.Helper()
	command(v.t, v.tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	return v
}

// with plugs an authenticator in.
func (v *visitor) with(device webauthn.VirtualAuthenticatorOptions) *visitor {
	v.t.Helper()
	device.AutomaticPresenceSimulation = true
	command(v.t, v.tab, webauthn.Enable, webauthn.EnableParams{})
	command(v.t, v.tab, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &device})
	return v
}

// act has the browser do something, which takes it moments; the helpers for tabs would wait as long as the browser lives.
func act[T any](v *visitor, a chromedp.Action[T]) T {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.ctx, 40*time.Second)
	defer cancel()
	got, err := chromedp.Run(ctx, a)
	if err != nil {
		v.t.Fatalf("%v at %s", err, v.where())
	}
	return got
}

func (v *visitor) where() string {
	ctx, cancel := context.WithTimeout(v.ctx, 5*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + (document.body?.innerText ?? "")`))
	if err != nil {
		return err.Error()
	}
	return text
}

// finds is how a person finds something on a page: a field by its label, a button or link by its name.
const finds = `(kind, name) => {
  const text = (e) => (e.getAttribute("aria-label") ?? e.textContent).trim().replace(/\s+/g, " ");
  const shown = (e) => e.checkVisibility();
  if (kind === "field") {
    const label = [...document.querySelectorAll("label")].filter(shown).find((l) => text(l) === name || text(l).startsWith(name));
    return label && (label.control ?? null);
  }
  return [...document.querySelectorAll("button, a, summary, label.choice")].filter(shown).find((e) => text(e) === name);
}`

// look evaluates an expression in the page.
func look[T any](v *visitor, expression string) T {
	v.t.Helper()
	return act(v, chromedp.Evaluate[T](expression))
}

func quoted(s ...string) string {
	data, _ := json.Marshal(s)
	return strings.Trim(string(data), "[]")
}

// mark finds something and makes it findable for the browser's tools.
func (v *visitor) mark(kind, name string) chromedp.CSS {
	v.t.Helper()
	found := false
	eventuallyOr(v.t, 20*time.Second, func() bool {
		found = look[bool](v, `(() => { const e = (`+finds+`)(`+quoted(kind, name)+`);
			document.querySelector("[data-marked]")?.removeAttribute("data-marked"); e?.setAttribute("data-marked", ""); return !!e; })()`)
		return found
	}, func() string { return "no " + kind + " called " + strconv.Quote(name) + " on\n" + v.text() })
	return "[data-marked]"
}

// eventuallyOr is eventually with a reason that is found out at the end.
func eventuallyOr(t *testing.T, within time.Duration, ok func() bool, why func() string) {
	t.Helper()
	for end := time.Now().Add(within); !ok(); time.Sleep(30 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(why())
		}
	}
}

func (v *visitor) text() string {
	v.t.Helper()
	return look[string](v, `location.href + "\n" + (document.body?.innerText ?? "")`)
}

// open goes to a page of the tenant's host.
func (v *visitor) open(path string) *visitor {
	v.t.Helper()
	act(v, chromedp.Navigate(v.origin(v.host)+path))
	return v
}

// opens goes to a link that was mailed.
func (v *visitor) opens(link string) *visitor {
	v.t.Helper()
	act(v, chromedp.Navigate(link))
	return v
}

// fill types into a field, in place of what is in it.
func (v *visitor) fill(label, value string) *visitor {
	v.t.Helper()
	at := v.mark("field", label)
	if v.keyboard {
		v.tabTo()
	}
	look[bool](v, `(() => { const e = document.querySelector("[data-marked]"); e.value = ""; return true; })()`)
	act(v, chromedp.SendKeys(at, value))
	return v
}

// tabTo presses the tabulator until what is marked has the focus.
func (v *visitor) tabTo() {
	v.t.Helper()
	for range 80 {
		if look[bool](v, `document.activeElement === document.querySelector("[data-marked]")`) {
			return
		}
		act(v, chromedp.KeyEvent("\t"))
	}
	v.t.Fatalf("the tabulator does not lead there:\n%s", v.text())
}

// press presses a button or link that leads to another page, and waits for it.
func (v *visitor) press(name string) *visitor {
	v.t.Helper()
	v.tap(name)
	eventuallyOr(v.t, 30*time.Second, func() bool {
		left, err := chromedp.Run(v.ctx, chromedp.Evaluate[bool](`!window.before && document.readyState === "complete"`))
		return err == nil && left // between two pages there is nothing to ask
	}, func() string { return strconv.Quote(name) + " leads nowhere:\n" + v.text() })
	return v
}

// tap presses something that may stay on the page.
func (v *visitor) tap(name string) *visitor {
	v.t.Helper()
	at := v.mark("button", name)
	look[bool](v, `window.before = true`)
	if v.keyboard {
		v.tabTo()
		act(v, chromedp.KeyEvent("\r"))
		return v
	}
	act(v, chromedp.Click(at))
	return v
}

// sees waits for a text on the page.
func (v *visitor) sees(texts ...string) *visitor {
	v.t.Helper()
	for _, want := range texts {
		eventuallyOr(v.t, 20*time.Second, func() bool {
			found, err := chromedp.Run(v.ctx, chromedp.Evaluate[bool](`!!document.body && document.body.innerText.replace(/\s+/g, " ").includes(`+quoted(want)+`)`))
			return err == nil && found
		}, func() string { return strconv.Quote(want) + " is not on\n" + v.text() })
	}
	return v
}

// at waits for the page to be the one of a path.
func (v *visitor) at(path string) *visitor {
	v.t.Helper()
	eventuallyOr(v.t, 20*time.Second, func() bool {
		got, err := chromedp.Run(v.ctx, chromedp.Evaluate[string](`location.pathname`))
		return err == nil && got == path
	}, func() string { return "not at " + path + " but at\n" + v.text() })
	return v
}

// eventually opens a page until it is as it should be: a replica hears of what was decided within a second.
func (v *visitor) eventually(path, expression string) *visitor {
	v.t.Helper()
	eventuallyOr(v.t, 20*time.Second, func() bool { return look[bool](v.open(path), expression) },
		func() string { return expression + " is not so on\n" + v.text() })
	return v
}

// value is what a field holds.
func (v *visitor) value(label string) string {
	v.t.Helper()
	v.mark("field", label)
	return look[string](v, `document.querySelector("[data-marked]").value`)
}

// axeVersion is the release of axe-core that .ci/test fetches.
const axeVersion = "4.14.1"

var axe = sync.OnceValues(func() (string, error) {
	data, err := os.ReadFile(filepath.Join("..", "..", ".cache", "axe-core-"+axeVersion, "axe.min.js"))
	return string(data), err
})

// accessible holds the page against WCAG 2.2 AA as far as axe-core can, in light and in dark, and takes its picture at both
// widths.
func (v *visitor) accessible(name string) *visitor {
	v.t.Helper()
	source, err := axe()
	if err != nil {
		v.t.Fatalf("axe-core is not there; .ci/test fetches it: %v", err)
	}
	for _, scheme := range []string{"light", "dark"} {
		command(v.t, v.tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
		for width, size := range map[string][2]int64{"phone": phone, "desktop": desktop} {
			v.resize(size)
			v.picture(name + "-" + width + "-" + scheme)
			if wide := look[int](v, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); wide > 0 {
				v.t.Errorf("%s: %d pixels stick out at %d (WCAG 1.4.10)", name, wide, size[0])
			}
			v.faults(source, name+" at the width of a "+width+", "+scheme)
		}
	}
	return v
}

// faults are what axe-core finds.
func (v *visitor) faults(source, what string) {
	v.t.Helper()
	type found struct{ ID, Impact, Help, Where string }
	all := act(v, chromedp.Evaluate[[]found](source+`;
		axe.run({runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then((r) =>
			r.violations.map((x) => ({ID: x.id, Impact: x.impact, Help: x.help, Where: x.nodes.map((n) => n.html + " " + n.failureSummary).join("\n")})))`, chromedp.EvalAwaitPromise))
	for _, f := range all {
		v.t.Errorf("%s: %s (%s): %s\n%s", what, f.ID, f.Impact, f.Help, f.Where)
	}
}

// picture takes the page as it is.
func (v *visitor) picture(name string) {
	v.t.Helper()
	folder := os.Getenv("GATEHOUSE_PICTURES")
	if folder == "" {
		folder = filepath.Join("..", "..", ".cache", "pictures")
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		v.t.Fatal(err)
	}
	data := act(v, chromedp.FullScreenshot(100))
	if err := os.WriteFile(filepath.Join(folder, name+".png"), data, 0o644); err != nil {
		v.t.Fatal(err)
	}
}

// reloads the page, as somebody does who wonders whether it worked.
func (v *visitor) reload() *visitor {
	v.t.Helper()
	command(v.t, v.tab, page.Reload, page.ReloadParams{})
	return v
}

// back goes to the page before.
func (v *visitor) back() *visitor {
	v.t.Helper()
	// A page that the browser has kept is not loaded, which chromedp would wait for.
	act(v, func(ctx context.Context, target *chromedp.Target) (cdp.Empty, error) {
		h, err := cdp.Call(ctx, target, page.GetNavigationHistory, cdp.Empty{})
		if err != nil {
			return cdp.Empty{}, err
		}
		return cdp.Call(ctx, target, page.NavigateToHistoryEntry, page.NavigateToHistoryEntryParams{EntryID: h.Entries[h.CurrentIndex-1].ID})
	})
	time.Sleep(300 * time.Millisecond) // it may lead on to the page that it comes from
	eventuallyOr(v.t, 20*time.Second, func() bool {
		there, err := chromedp.Run(v.ctx, chromedp.Evaluate[bool](`document.readyState === "complete"`))
		return err == nil && there
	}, func() string { return "there is no way back from\n" + v.text() })
	return v
}
