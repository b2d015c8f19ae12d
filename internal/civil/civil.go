// Package civil has calendar dates without a clock or a zone: the business
// date of an entry, a date of birth, a range of days. An instant becomes a
// Date only by naming the clinic's zone.
package civil

import (
	"time"

	"coffer/internal/fault"
)

// Date is a day of the proleptic Gregorian calendar, as the number of days
// since 1970-01-01. The zero Date is 1970-01-01; use Valid to tell input.
type Date int32

// ErrFormat is returned by Parse.
var ErrFormat = fault.New(fault.Invalid, "Enter a date as year-month-day, such as 2026-03-31.")

// Of returns the date on which t falls in the zone of t.
func Of(t time.Time) Date {
	y, m, d := t.Date()
	return New(y, m, d)
}

// New returns the date of year, month and day; values out of range carry
// over as in time.Date.
func New(year int, month time.Month, day int) Date {
	return Date(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// Parse reads "2026-03-31" or gives ErrFormat.
func Parse(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return 0, ErrFormat
	}
	return Of(t), nil
}

// In returns the instant at which the date begins in zone.
func (d Date) In(zone *time.Location) time.Time {
	y, m, day := d.utc().Date()
	return time.Date(y, m, day, 0, 0, 0, 0, zone)
}

func (d Date) utc() time.Time { return time.Unix(int64(d)*86400, 0).UTC() }

// Year, Month and Day return the parts of the date.
func (d Date) Year() int { return d.utc().Year() }

// Month returns the month of the date.
func (d Date) Month() time.Month { return d.utc().Month() }

// Day returns the day of the month.
func (d Date) Day() int { return d.utc().Day() }

// Weekday returns the day of the week.
func (d Date) Weekday() time.Weekday { return d.utc().Weekday() }

// AddDays returns the date n days later (earlier when n is negative).
func (d Date) AddDays(n int) Date { return d + Date(n) }

// String returns the date as ISO 8601: "2026-03-31".
func (d Date) String() string { return d.utc().Format(time.DateOnly) }

// SafeString returns String.
func (d Date) SafeString() string { return d.String() }

// Range is the days from First to Last, both included. It is empty when Last
// is before First.
type Range struct{ First, Last Date }

// Contains reports whether d is in the range.
func (r Range) Contains(d Date) bool { return r.First <= d && d <= r.Last }

// MonthOf returns the calendar month that holds d.
func MonthOf(d Date) Range {
	y, m, _ := d.utc().Date()
	return Range{New(y, m, 1), New(y, m+1, 0)}
}
