package app

// WeightOf is what a request's body weighs among those under way.
var WeightOf = weightOf
