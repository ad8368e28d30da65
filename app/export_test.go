package app

import (
	"context"
	"time"
)

// WeightOf is what a request's body weighs among those under way.
var WeightOf = weightOf

// Room is what bounds the memory of requests under way.
type Room struct{ r *room }

// NewRoom returns a room.
func NewRoom(size, share int64, line int, patience time.Duration) Room {
	return Room{newRoom(size, share, line, patience)}
}

// Take waits for n bytes and reports whether the sender got them.
func (r Room) Take(ctx context.Context, who string, n int64) bool { return r.r.take(ctx, who, n) }

// Waiting is how many stand in line.
func (r Room) Waiting() int {
	r.r.mu.Lock()
	defer r.r.mu.Unlock()
	return r.r.waiting.Len()
}

// Give gives them back.
func (r Room) Give(who string, n int64) { r.r.give(who, n) }
