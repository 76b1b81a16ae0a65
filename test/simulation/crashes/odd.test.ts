import { grid } from "./grid.ts"

grid(0, 2)
