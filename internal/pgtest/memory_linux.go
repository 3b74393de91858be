package pgtest

import "syscall"

// memoryFolder is a file system in memory that everybody may write to.
const memoryFolder = "/dev/shm"

// enoughRoom is what must be free: a server starts with 28 MB and grows by what
// its test writes, and by up to max_wal_size of log. Containers often have
// 64 MB in all, which is too little.
const enoughRoom = 1 << 30

// hasRoom reports whether the folder exists and has enough room.
func hasRoom(folder string) bool {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(folder, &stat); err != nil {
		return false
	}
	return stat.Bavail*uint64(stat.Bsize) >= enoughRoom
}
