package ui

import "net/http"

// The headers of htmx 2 that Coffer uses (htmx.org/reference, "HTTP Headers").
const (
	hxRequest     = "HX-Request"
	hxCurrentURL  = "HX-Current-URL"
	hxRedirect    = "HX-Redirect"
	hxRetarget    = "HX-Retarget"
	hxReswap      = "HX-Reswap"
	hxAfterSettle = "HX-Trigger-After-Settle"
)

// isHX reports whether htmx made the request: the answer is then a fragment.
func isHX(r *http.Request) bool { return r.Header.Get(hxRequest) == "true" }

// into makes htmx put the answer into the element that target selects, in
// place of what is inside it.
func into(h http.Header, target string) {
	h.Set(hxRetarget, target)
	h.Set(hxReswap, "innerHTML")
}
