import { grid } from "./grid.ts"

grid(1, 2)
