package app

// WeightOf is what a request's body weighs among those under way.
var WeightOf = weightOf

// Room is what bounds the memory of requests under way.
type Room struct{ r *room }

// NewRoom returns a room.
func NewRoom(size, share int64) Room { return Room{newRoom(size, share)} }

// TryTake reports whether the sender gets n bytes now.
func (r Room) TryTake(who string, n int64) bool { return r.r.tryTake(who, n) }

// Give gives them back.
func (r Room) Give(who string, n int64) { r.r.give(who, n) }
