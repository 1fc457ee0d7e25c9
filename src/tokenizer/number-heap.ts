/** Add a number to a binary heap. */
export function pushHeap(heap: number[], key: number): void {
  let child = heap.length
  heap.push(key)
  while (child > 0) {
    const parent = (child - 1) >> 1
    if (heap[parent]! <= key) break
    heap[child] = heap[parent]!
    child = parent
  }
  heap[child] = key
}

/** Take the least number out of a heap that is not empty. */
export function popHeap(heap: number[]): number {
  const top = heap[0]!
  const key = heap.pop()!
  const size = heap.length
  if (size === 0) return top
  let parent = 0
  for (;;) {
    let child = 2 * parent + 1
    if (child >= size) break
    if (child + 1 < size && heap[child + 1]! < heap[child]!) child++
    if (heap[child]! >= key) break
    heap[parent] = heap[child]!
    parent = child
  }
  heap[parent] = key
  return top
}
