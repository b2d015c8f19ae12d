package ui

// Row is a row of the table of routes, for tests.
type Row struct {
	Method, Path string
	Open, Bare   bool
}

// Rows returns the table of routes.
func Rows() []Row {
	var rows []Row
	for _, r := range routes {
		rows = append(rows, Row{r.method, r.path, r.open, r.bare})
	}
	return rows
}
