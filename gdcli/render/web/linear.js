// Small matrices: eigenvalues by Jacobi's rotations, and Newton's step.
"use strict";

const linear = (() => {
  const square = (triangle, n) =>
    d3.range(n).map((i) =>
      d3.range(n).map((j) => triangle[i >= j ? (i * (i + 1)) / 2 + j : (j * (j + 1)) / 2 + i]));

  // Eigenvalues in ascending order, and the vectors as columns (Golub and Van Loan, Matrix Computations, 8.5).
  function eigen(matrix) {
    const n = matrix.length;
    const a = matrix.map((row) => [...row]);
    const v = d3.range(n).map((i) => d3.range(n).map((j) => (i === j ? 1 : 0)));
    for (let sweep = 0; sweep < 60; sweep += 1) {
      let off = 0;
      for (let p = 0; p < n; p += 1) for (let q = p + 1; q < n; q += 1) off += a[p][q] ** 2;
      if (!(off > 0)) break;
      for (let p = 0; p < n; p += 1) {
        for (let q = p + 1; q < n; q += 1) if (a[p][q] !== 0) rotate(a, v, p, q);
      }
    }
    const order = a.map((_, i) => i).sort((i, j) => a[i][i] - a[j][j]);
    return { values: order.map((i) => a[i][i]), vectors: v.map((row) => order.map((i) => row[i])) };
  }

  function rotate(a, v, p, q) {
    const theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
    const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
    const c = 1 / Math.hypot(t, 1);
    const s = t * c;
    for (let k = 0; k < a.length; k += 1) {
      [a[k][p], a[k][q]] = [c * a[k][p] - s * a[k][q], s * a[k][p] + c * a[k][q]];
    }
    for (let k = 0; k < a.length; k += 1) {
      [a[p][k], a[q][k]] = [c * a[p][k] - s * a[q][k], s * a[p][k] + c * a[q][k]];
      [v[k][p], v[k][q]] = [c * v[k][p] - s * v[k][q], s * v[k][p] + c * v[k][q]];
    }
    a[p][q] = a[q][p] = 0;
  }

  // Newton's direction, along curvatures that are turned upwards where they are not: else it would climb to a saddle.
  function newton(matrix, g) {
    const { values, vectors } = eigen(matrix);
    const least = 1e-12 * Math.max(...values.map(Math.abs));
    const parts = values.map((value, k) => {
      const along = vectors.reduce((sum, row, i) => sum + row[k] * g[i], 0);
      return -along / Math.max(Math.abs(value), least);
    });
    return vectors.map((row) => row.reduce((sum, e, k) => sum + e * parts[k], 0));
  }

  return { square, eigen, newton };
})();
