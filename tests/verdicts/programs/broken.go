// Go programs that end badly; the first argument says how.
package main

import (
	"fmt"
	"os"
	"sync"
)

type node struct {
	value int
	next  *node
}

//go:noinline
func valueOf(at *node) int {
	return at.value // at: nil_pointer
}

//go:noinline
func item(numbers []int, at int) int {
	return numbers[at] // at: index
}

func deadlock() {
	channel := make(chan int)
	channel <- 1 // at: deadlock
}

func lockTwice() {
	var mutex sync.Mutex
	mutex.Lock()
	mutex.Lock() // at: lock_twice
}

func main() {
	switch os.Args[1] {
	case "nil_pointer":
		fmt.Println(valueOf(nil))
	case "index":
		fmt.Println(item([]int{1, 2}, len(os.Args)+5))
	case "deadlock":
		deadlock()
	case "lock_twice":
		lockTwice()
	case "panics":
		panic("no route to the warehouse") // at: panics
	case "no_file":
		if _, err := os.Open("/no/such/routes.json"); err != nil { // at: no_file
			fmt.Fprintln(os.Stderr, err)
			os.Exit(4)
		}
	}
}
