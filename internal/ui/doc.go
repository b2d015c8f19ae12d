// Package ui is the face of Coffer: pages over HTTPS for the front desk, the
// therapists, the accountant and IT. It is the one home of echo.
//
// What it promises. Each route stands in one table (routes.go). A handler reads
// a form into values, makes one call to the floor below on behalf of the
// signed-in agent, and renders one typed page; what the agent may not do is
// decided, and recorded, below, and never here alone. A page reaches the
// browser whole or not at all. Every form works without JavaScript; htmx and
// app.js only save time. Every form that moves money carries the identifier of
// a command that was made with the page, so pressing twice pays once.
//
// Nothing is on disk. What a browser sends is trusted in nothing but this: the
// session cookie names a session that identity keeps on the server.
//
// No page and no address holds a client's name where it would stay behind:
// addresses and titles hold identifiers only, search words travel in bodies,
// pages are not stored by the browser, and the log knows neither addresses nor
// form values. Live progress comes by a doorbell (bell.go): an event says that
// something has changed, and the page asks again by the ordinary way, which
// decides and records like any other.
//
// Keeps 164.312(a)(2)(iii): a session ends after idle time, and the screen
// goes with it. Keeps 164.312(e)(1): TLS 1.3 alone, by the box's own authority.
package ui
