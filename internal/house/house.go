// Package house keeps the plan of the house: which floor each package stands
// on, what it may import, which outside module enters by which door, what may
// never meet. The plan is floors.txt; the test in this package reads the
// source and obeys it. There is nothing here at run time.
package house
