package callers

import (
	"maps"
	"path"
	"reflect"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// side says whose code a frame is.
type side uint8

const (
	inProgram  side = iota // the main module's: what a reader looks for
	inLibrary              // another module's
	inStandard             // the standard library's
	inPool                 // this module's
	inRuntime              // the Go runtime's: start of a goroutine, a panic in progress
)

// outside reports whether the code is the user's, or what the user calls it
// through.
func (s side) outside() bool { return s <= inStandard }

// frame is one line of a stack. Frames are comparable: equal ones are the same
// place in the source.
type frame struct {
	function string // as the runtime prints it: full package path, receiver, [...] for type arguments
	file     string
	line     int
	side     side
}

// resolve looks up the names behind one program counter. The runtime reports
// inlined calls as counters of their own, so one counter is always one frame.
func resolve(pc uintptr) frame {
	f, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	return frame{f.Function, f.File, f.Line, sideOf(f.Function, f.File)}
}

// known holds the frames between the pool and its borrowers, for the life of
// the process: what a counter stands for never changes, and the calls that lead
// into a pool are few in any program. It turns the search for a call site, done
// for each Add and each lease in a Group, from microseconds into nanoseconds.
// Readers take the map as it is; a writer replaces it by a larger copy.
var known struct {
	atomic.Pointer[map[uintptr]frame]
	growing sync.Mutex
}

// recall is resolve for counters on the way to a call site.
func recall(pc uintptr) frame {
	if m := known.Load(); m != nil {
		if f, ok := (*m)[pc]; ok {
			return f
		}
	}
	return learn(pc)
}

func learn(pc uintptr) frame {
	f := resolve(pc)
	known.growing.Lock()
	defer known.growing.Unlock()
	m := map[uintptr]frame{pc: f}
	if old := known.Load(); old != nil {
		maps.Copy(m, *old)
	}
	known.Store(&m)
	return f
}

// site finds the call site in a stack: the index of the first frame outside the
// pool, or else of the pool's outermost; -1 where there is neither.
func site(pcs []uintptr, look func(pc uintptr) frame) int {
	last := -1
	for i, pc := range pcs {
		switch side := look(pc).side; {
		case side.outside():
			return i
		case side == inPool:
			last = i
		}
	}
	return last
}

// blamed finds the frame that a reader wants to know of, in a stack from its call
// site outwards: the first of the program, since a library's names no borrower
// where everything is borrowed through it; else the first of another module than
// the standard library; else the call site.
func blamed(pcs []uintptr, look func(pc uintptr) frame) int {
	library := -1
	for i, pc := range pcs {
		switch look(pc).side {
		case inProgram:
			return i
		case inLibrary:
			if library < 0 {
				library = i
			}
		}
	}
	return max(library, 0)
}

// module is this module's path, read off this package's own so that a fork
// under another name still knows itself.
var module = strings.TrimSuffix(reflect.TypeFor[Stack]().PkgPath(), "/internal/callers")

// rooms are the folders below the module whose code may stand between a
// borrower and the pool: the internals, and the adapters that wrap Acquire. It
// lists what is inside, since forgetting an entry then names a frame too deep,
// which a reader sees through; the other way round a whole program under
// examples/ would vanish from its own leak report.
var rooms = map[string]bool{
	"internal": true,
	"keyed":    true,
	"netconn":  true,
	"pgxconn":  true,
	"sqlconn":  true,
}

// between is database/sql, which stands between a borrower and sqlconn: it would be
// the call site of every lease there.
const between = "database/sql"

// sideOf judges by package first: the root package and its rooms are the pool.
// Of those packages, test files are not: the tests, benchmarks and examples in
// them borrow as a user does, and the file name tells them from the pool's code
// whatever they are called and however deep their closures are.
func sideOf(function, file string) side {
	pkg := packageOf(function)
	below, ours := strings.CutPrefix(pkg, module)
	switch {
	case pkg == "runtime" || pkg == "":
		return inRuntime
	case pkg == between || ours && isRoom(below) && !strings.HasSuffix(file, "_test.go"):
		return inPool
	case (pkg == "main" || within(pkg, program.Path)) && !foreign(file, program.Version):
		return inProgram
	case isStandard(pkg, file):
		return inStandard
	}
	return inLibrary
}

// program is the main module, which in a test is the module under test. Its path
// is empty in a build without module information, where package main is all that
// is known of the program.
var program = func() debug.Module {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return debug.Module{}
	}
	return info.Main
}()

// foreign reports whether a file is another module's or the standard library's. A
// function literal of theirs that was inlined into one of the program's is named
// as if it were the program's. A program that was itself installed from the
// module cache lies there in a folder of its own version.
func foreign(file, version string) bool {
	return strings.Contains(file, "@v") && !strings.Contains(file, "@"+version+"/") ||
		strings.Contains(file, "/vendor/") || library != "" && strings.HasPrefix(file, library)
}

// within reports whether a package belongs to a module, its root's external test
// package included. Vendored packages have the path of their own module.
func within(pkg, module string) bool {
	below, ok := strings.CutPrefix(pkg, module)
	return ok && module != "" && (below == "" || below == "_test" || below[0] == '/')
}

// library is the folder that the standard library was built from, with a slash at
// its end; empty in a build with -trimpath, which leaves the packages' paths.
var library = func() string {
	f := runtime.FuncForPC(reflect.ValueOf(runtime.GC).Pointer())
	file, _ := f.FileLine(f.Entry())
	return strings.TrimSuffix(path.Dir(file), "runtime")
}()

// isStandard reports whether a package is of the standard library: the first
// element of its path has no dot, as only a module that is not to be downloaded
// has either, and its source lies with that of the runtime.
func isStandard(pkg, file string) bool {
	first, _, _ := strings.Cut(pkg, "/")
	return !strings.Contains(first, ".") && strings.HasPrefix(file, library+pkg+"/")
}

// isRoom reports whether the package at this path below the module is pool
// code. The root is; "_test", what is left of the root's external test package,
// is no path below it.
func isRoom(below string) bool {
	if below == "" {
		return true
	}
	sub, ok := strings.CutPrefix(below, "/")
	room, _, _ := strings.Cut(sub, "/")
	return ok && rooms[room]
}

// packageOf returns the import path in a function's name: all before the first
// dot after the last slash.
func packageOf(function string) string {
	start := strings.LastIndexByte(function, '/') + 1
	end := max(0, strings.IndexByte(function[start:], '.'))
	return unescaped(function[:start+end])
}

// unescaped undoes what the linker does to a dot in the last element of an
// import path ("gopkg.in/yaml%2ev3"), lest it end the path.
func unescaped(name string) string { return strings.ReplaceAll(name, "%2e", ".") }

// short prints the frame for a line of a log: main.(*Server).upload (upload.go:88)
func (f frame) short() string {
	name := unescaped(path.Base(f.function))
	return name + " (" + path.Base(f.file) + ":" + strconv.Itoa(f.line) + ")"
}

// long prints the frame as it stands in a goroutine's trace: two lines.
func (f frame) long() string {
	return f.function + "\n\t" + f.file + ":" + strconv.Itoa(f.line)
}
