// An HTTP server with goroutines that ask it, a child process, signals and a collected heap.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

func main() {
	var served atomic.Int64
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		fmt.Fprint(w, strings.Repeat(r.URL.Path, 100))
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go http.Serve(listener, nil)
	var group sync.WaitGroup
	var bytes atomic.Int64
	for client := 0; client < 20; client++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for n := 0; n < 25; n++ {
				response, err := http.Get(fmt.Sprintf("http://%s/%d", listener.Addr(), n%10))
				if err != nil {
					panic(err)
				}
				body, _ := io.ReadAll(response.Body)
				response.Body.Close()
				bytes.Add(int64(len(body)))
			}
		}()
	}
	group.Wait()
	fmt.Println(served.Load(), bytes.Load())
	command := exec.Command("tr", "a-z", "A-Z")
	command.Stdin = strings.NewReader("a child\n")
	out, err := command.Output()
	fmt.Print(string(out), err, "\n")
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGUSR1)
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	fmt.Println(<-heard)
	var kept [][]byte
	for i := 0; i < 2000; i++ {
		kept = append(kept, make([]byte, 10000))
		if len(kept) > 100 {
			kept = nil
		}
	}
	runtime.GC()
	var state runtime.MemStats
	runtime.ReadMemStats(&state)
	fmt.Println(state.NumGC > 0)
}
