// Package rest is what every operation of the service shares on the wire: reading a request, answering it, and the
// middleware around both.
//
//	Middleware --> router --> Methods --> Handler --> Decode ... Respond
//	 request id     (mux)      405        error ->     400, 413, 415
//	 headers, log                         problem
//
// A handler parses once into a typed struct, calls its service, and returns an error for anything that is not a success;
// nobody else writes an error body. Everything the middleware knows of a request (id, client address, log attributes) is
// in one value in its context, reached through RequestID, ClientIP, Log and AddLogAttrs.
//
// The boundary: this package knows no tenant, no user and no database. Who the request belongs to is found further in and
// told to the log through AddLogAttrs.
//
// Traps: the router must not clean paths by redirect (mux: SkipClean(true)). A request whose target is an absolute URI is
// refused, since it would override Host and with it the tenant; httptest.NewRequest makes one when it is given a full URL,
// so tests set r.Host instead. Never log a raw path or query: link tokens are in them.
package rest
