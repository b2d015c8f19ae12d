package ui

import (
	"net"
	"net/http"
	"slices"
	"strings"

	"coffer/internal/custody"
)

// policy is the content security policy of every page: nothing but our own
// files, no inline script or style, no string becomes a script (Trusted Types;
// app.js defines the one policy that htmx needs).
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'; " +
	"require-trusted-types-for 'script'; trusted-types default"

// safeHeaders are set on every answer.
var safeHeaders = map[string]string{
	"Content-Security-Policy":      policy,
	"Strict-Transport-Security":    "max-age=31536000",
	"X-Content-Type-Options":       "nosniff",
	"X-Frame-Options":              "DENY",
	"Referrer-Policy":              "no-referrer",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Permissions-Policy":           "camera=(), geolocation=(), microphone=(), payment=(), usb=(), serial=()",
	"Cache-Control":                "no-store",
}

// formMax is the greatest size of what a browser may send, in bytes: forms of
// a few short fields.
const formMax = 64 << 10

// withHeaders sets the safe headers and limits what is read of a request.
func withHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range safeHeaders {
			w.Header().Set(name, value)
		}
		r.Body = http.MaxBytesReader(w, r.Body, sizeMaxOf(r))
		next.ServeHTTP(w, r)
	})
}

// withHosts answers requests for one of the box's own names only, so that a
// foreign name which resolves to the box (DNS rebinding) gets nothing.
func withHosts(names []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		host = strings.ToLower(strings.Trim(host, "[]"))
		if !slices.Contains(names, host) {
			http.Error(w, "This is a Coffer box, but not under this name. Use the address that IT gave you.", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// clearSiteData makes the browser forget what it holds of the box. Its storage
// stays: all that it holds is the last checkpoint of the audit trail, which the
// browser must not forget.
const clearSiteData = `"cache", "cookies"`

// sizeMaxOf returns the greatest size of what a request may send: that of a
// form, and of a photo where one belongs.
func sizeMaxOf(r *http.Request) int64 {
	if r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/devices/") && strings.HasSuffix(r.URL.Path, "/inspect") {
		return custody.PhotoBytesMax + formMax
	}
	return formMax
}
