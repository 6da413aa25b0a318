package main

import (
	"fmt"
	"runtime"
	"sync"
	"time"
)

func main() {
	var wg sync.WaitGroup
	ch := make(chan int, 10)
	var mu sync.Mutex
	total := 0
	for i := 0; i < 8; i++ {
		wg.Add(1)
		go func(n int) {
			defer wg.Done()
			for j := 0; j < 2000; j++ {
				b := make([]byte, 1000+j%50)
				mu.Lock()
				total += len(b)
				mu.Unlock()
				if j%100 == 0 {
					ch <- n
				}
			}
		}(i)
	}
	go func() { wg.Wait(); close(ch) }()
	s := 0
	for v := range ch {
		s += v
	}
	t := time.After(20 * time.Millisecond)
	spin := 0
loop:
	for {
		select {
		case <-t:
			break loop
		default:
			spin++
		}
	}
	runtime.GC()
	fmt.Println(total, s, spin > 0)
}
