// Package pipeline is what may happen to a batch between a door and a store.
// Each stage wraps a [narthex.Sink] and is one, so that they can be put in any
// order and "Write returned nil" means the same at each place.
//
//   - [TimePolicy] says whose clock a sample's time is.
//   - [Limiter] bounds how often and how much each sender pushes, and how many
//     series it keeps going.
//   - [Outlet] adds the labels that tell this narthex from others, and relabels.
//
// For the doors the order is: time policy, limiter, ledger. The limiter stands
// before the ledger because a total, once added up, can't be told apart again;
// what it lets through is what is logged. An outlet stands before a destination.
package pipeline
