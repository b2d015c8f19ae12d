package firmwareconfig_test

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	firmwareconfig "coffer/firmware-config"
	"coffer/internal/terminal/protocol"
)

func TestProfiles(t *testing.T) {
	ids := firmwareconfig.IDs()
	for _, want := range []string{"pax-a35", "pax-a920pro", "pax-generic", "sim-pax", "sim-simplify", "sim-upa",
		"simplify-lane3000", "simplify-mx915", "upa-t650p"} {
		if !slices.Contains(ids, want) {
			t.Errorf("profile %s is missing; there are %v", want, ids)
		}
	}
	for _, id := range ids {
		p, err := firmwareconfig.Profile(id)
		if err != nil {
			t.Errorf("%s: %v", id, err)
			continue
		}
		if p.PTS.Approval != nil || p.PTS.Expiry != nil {
			t.Errorf("%s states a PTS approval that nobody has verified", id)
		}
		if p.Simulated != strings.HasPrefix(id, "sim-") {
			t.Errorf("%s: simulated is %v", id, p.Simulated)
		}
		if !p.Simulated && len(p.Settings) == 0 {
			t.Errorf("%s requires no setting of the terminal", id)
		}
	}
	if _, err := firmwareconfig.Profile("../profiles/sim-pax"); !errors.Is(err, firmwareconfig.ErrUnknown) {
		t.Errorf("an unknown profile: %v", err)
	}
}

// sample returns the profile of a terminal in software as a tree.
func sample(t *testing.T, id string) map[string]any {
	t.Helper()
	b, err := os.ReadFile("profiles/" + id + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestParseRefuses(t *testing.T) {
	sub := func(m map[string]any, key string) map[string]any { return m[key].(map[string]any) }
	first := func(m map[string]any) map[string]any { return m["transports"].([]any)[0].(map[string]any) }
	for name, spoil := range map[string]func(m map[string]any){
		"unknown key":         func(m map[string]any) { m["colour"] = "red" },
		"missing key":         func(m map[string]any) { delete(m, "timers") },
		"missing inner key":   func(m map[string]any) { delete(sub(m, "timers"), "ack") },
		"unknown inner key":   func(m map[string]any) { sub(m, "retries")["more"] = 1 },
		"unknown protocol":    func(m map[string]any) { m["protocol"] = "smoke" },
		"card data message":   func(m map[string]any) { m["allowed_messages"] = append(m["allowed_messages"].([]any), "A30") },
		"message twice":       func(m map[string]any) { m["allowed_messages"] = append(m["allowed_messages"].([]any), "T00") },
		"no time":             func(m map[string]any) { sub(m, "timers")["ack"] = 0 },
		"negative time":       func(m map[string]any) { sub(m, "timers")["settle"] = -1 },
		"time with fraction":  func(m map[string]any) { sub(m, "timers")["settle"] = 0.5 },
		"time too long":       func(m map[string]any) { sub(m, "timers")["whole"] = 600001 },
		"no answer time":      func(m map[string]any) { sub(m, "timers")["rsp"] = map[string]any{"A00": 10} },
		"quiet below ibt":     func(m map[string]any) { sub(m, "timers")["quiet"] = 1 },
		"retry order":         func(m map[string]any) { sub(m, "timers")["retry_min"] = 500000 },
		"no sends":            func(m map[string]any) { sub(m, "retries")["send"] = 0 },
		"frame too large":     func(m map[string]any) { m["max_frame"] = 65537 },
		"frame too small":     func(m map[string]any) { m["max_frame"] = 10 },
		"bad version":         func(m map[string]any) { m["version_sent"] = "1.35\x1c" },
		"bad id":              func(m map[string]any) { m["id"] = "Sim PAX" },
		"no not-found code":   func(m map[string]any) { sub(m, "lookup")["not_found"] = []any{} },
		"bad not-found code":  func(m map[string]any) { sub(m, "lookup")["not_found"] = []any{"none"} },
		"no transport":        func(m map[string]any) { m["transports"] = []any{} },
		"unknown transport":   func(m map[string]any) { first(m)["kind"] = "carrier pigeon" },
		"speed not available": func(m map[string]any) { first(m)["baud"] = []any{12345} },
		"parity not possible": func(m map[string]any) { first(m)["parity"] = "M" },
		"an error code":       func(m map[string]any) { sub(m, "error_codes")["X1"] = "aborted" },
		"a second look":       func(m map[string]any) { sub(m, "lookup")["again"] = 1 },
		"flow not possible":   func(m map[string]any) { first(m)["flow"] = "rts" },
	} {
		m := sample(t, "sim-pax")
		spoil(m)
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := firmwareconfig.Parse(b); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	good, err := json.Marshal(sample(t, "sim-pax"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := firmwareconfig.Parse(good); err != nil {
		t.Errorf("the unspoilt profile: %v", err)
	}
	if _, err := firmwareconfig.Parse(append(good, good...)); err == nil {
		t.Error("two profiles in one file: accepted")
	}
}

// TestParseRefusesForUPA has what is wrong for one protocol only.
func TestParseRefusesForUPA(t *testing.T) {
	sub := func(m map[string]any, key string) map[string]any { return m[key].(map[string]any) }
	for name, spoil := range map[string]func(m map[string]any){
		"card data message": func(m map[string]any) {
			m["allowed_messages"] = append(m["allowed_messages"].([]any), "StartCardTransaction")
		},
		"message of another":    func(m map[string]any) { m["allowed_messages"] = append(m["allowed_messages"].([]any), "T00") },
		"time of another":       func(m map[string]any) { sub(sub(m, "timers"), "rsp")["T00"] = 1000 },
		"frame too large":       func(m map[string]any) { m["max_frame"] = 5 << 20 },
		"a version":             func(m map[string]any) { m["version_sent"] = "1.35" },
		"no second look":        func(m map[string]any) { sub(m, "lookup")["again"] = 0 },
		"empty standing":        func(m map[string]any) { sub(m, "lookup")["standing"] = []any{""} },
		"a line":                func(m map[string]any) { m["transports"] = sample(t, "sim-pax")["transports"] },
		"code of an approval":   func(m map[string]any) { sub(m, "error_codes")["X1"] = "approved" },
		"code of our own":       func(m map[string]any) { sub(m, "error_codes")["X1"] = "unproven" },
		"code without a reason": func(m map[string]any) { sub(m, "error_codes")["X1"] = "" },
		"bad code":              func(m map[string]any) { sub(m, "error_codes")["x 1"] = "aborted" },
	} {
		m := sample(t, "sim-upa")
		spoil(m)
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := firmwareconfig.Parse(b); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestSchema holds the schema to the structure that is read: the same keys, all
// of them required, and none besides.
func TestSchema(t *testing.T) {
	var schema map[string]any
	if err := json.Unmarshal(firmwareconfig.Schema, &schema); err != nil {
		t.Fatal(err)
	}
	p := protocol.Profile{
		Transports: []protocol.Transport{{}}, Settings: []protocol.Setting{{}}, Notes: []string{""}, Messages: []string{""},
		Lookup: protocol.Lookup{NotFound: []string{""}, Standing: []string{""}},
	}
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var value any
	if err := json.Unmarshal(b, &value); err != nil {
		t.Fatal(err)
	}
	compare(t, "profile", schema, value)
}

func compare(t *testing.T, at string, schema map[string]any, value any) {
	t.Helper()
	if list, ok := value.([]any); ok {
		compare(t, at+"[]", schema["items"].(map[string]any), list[0])
		return
	}
	object, ok := value.(map[string]any)
	if !ok {
		return
	}
	props := schema["properties"].(map[string]any)
	keys, want := slices.Sorted(maps.Keys(object)), slices.Sorted(maps.Keys(props))
	if !slices.Equal(keys, want) {
		t.Errorf("%s: the schema has %v, the structure %v", at, want, keys)
		return
	}
	if n := len(schema["required"].([]any)); n != len(keys) || schema["additionalProperties"] != false {
		t.Errorf("%s: the schema must require all %d keys (it requires %d) and allow no other", at, len(keys), n)
	}
	for _, k := range keys {
		if k != "rsp" && k != "error_codes" {
			compare(t, at+"."+k, props[k].(map[string]any), object[k])
		}
	}
}

func TestUdevRules(t *testing.T) {
	rules := string(firmwareconfig.UdevRules)
	for _, want := range []string{`SYMLINK+="coffer/term-$env{ID_SERIAL_SHORT}"`, `MODE="0660"`, `ENV{ID_MM_DEVICE_IGNORE}="1"`, `ATTR{power/control}="on"`, `LABEL="coffer_end"`} {
		if !strings.Contains(rules, want) {
			t.Errorf("the rules lack %s", want)
		}
	}
	for i, l := range strings.Split(rules, "\n") {
		if strings.HasPrefix(l, "#") || l == "" {
			continue
		}
		for part := range strings.SplitSeq(l, ", ") {
			key, value, ok := strings.Cut(part, `"`)
			if !ok || !strings.HasSuffix(value, `"`) || !strings.HasSuffix(key, "=") {
				t.Errorf("line %d: %q is no match and no assignment", i+1, part)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, id := range []string{"sim-pax", "sim-simplify", "sim-upa"} {
		b, err := os.ReadFile("profiles/" + id + ".json")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := firmwareconfig.Parse(b)
		if err != nil {
			return
		}
		again, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := firmwareconfig.Parse(again); err != nil {
			t.Errorf("a profile is accepted, and refused when written again: %v", err)
		}
	})
}
