package rival

// All returns every rival in the order in which they are shown: this pool first,
// the floors last.
func All() []Rival {
	return []Rival{
		Connpool(),
		puddleRival(),
		pgxpoolRival(),
		sqlRival(),
		commonsRival(),
		redigoRival(),
		goRedisRival(),
		channelRival(),
		semaphoreRival(),
		syncPoolRival(),
		casRival(),
	}
}

// Main returns this pool and the three that are compared where all of them would
// take too long: the best known pool, the standard library's, and what one writes
// oneself.
func Main() []Rival {
	return []Rival{Connpool(), puddleRival(), sqlRival(), channelRival()}
}
