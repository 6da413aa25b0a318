/* nbody STEPS: the outer planets by a leapfrog integrator; scalar double-precision floating point with
 * square roots and divisions. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { kBodies = 5 };

struct body {
  double x, y, z, vx, vy, vz, mass;
};

static struct body bodies[kBodies] = {
    {0, 0, 0, 0, 0, 0, 39.478417604357},
    {4.841431442465, -1.160320044027, -0.103622044471, 0.606326392995, 2.811986844916, -0.025218361659,
     0.037693674870},
    {8.343366718245, 4.124798564124, -0.403523417114, -1.010774346178, 1.825662371230, 0.008415761376,
     0.011286326131},
    {12.89436956214, -15.11115140170, -0.223307578893, 1.082791006441, 0.868713018169, -0.010832637401,
     0.001723724057},
    {15.37969711485, -25.91931460998, 0.179258772950, 0.979090732243, 0.594698998647, -0.034755955550,
     0.002033686870},
};

static void advance(double dt) {
  for (int i = 0; i < kBodies; i++) {
    struct body* a = &bodies[i];
    for (int j = i + 1; j < kBodies; j++) {
      struct body* b = &bodies[j];
      double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
      double square = dx * dx + dy * dy + dz * dz;
      double magnitude = dt / (square * sqrt(square));
      a->vx -= dx * b->mass * magnitude;
      a->vy -= dy * b->mass * magnitude;
      a->vz -= dz * b->mass * magnitude;
      b->vx += dx * a->mass * magnitude;
      b->vy += dy * a->mass * magnitude;
      b->vz += dz * a->mass * magnitude;
    }
  }
  for (int i = 0; i < kBodies; i++) {
    bodies[i].x += dt * bodies[i].vx;
    bodies[i].y += dt * bodies[i].vy;
    bodies[i].z += dt * bodies[i].vz;
  }
}

static double energy(void) {
  double sum = 0;
  for (int i = 0; i < kBodies; i++) {
    const struct body* a = &bodies[i];
    sum += 0.5 * a->mass * (a->vx * a->vx + a->vy * a->vy + a->vz * a->vz);
    for (int j = i + 1; j < kBodies; j++) {
      const struct body* b = &bodies[j];
      double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
      sum -= a->mass * b->mass / sqrt(dx * dx + dy * dy + dz * dz);
    }
  }
  return sum;
}

int main(int argc, char** argv) {
  long steps = argc > 1 ? atol(argv[1]) : 1000;
  printf("%.9f\n", energy());
  for (long i = 0; i < steps; i++) advance(0.01);
  printf("%.9f\n", energy());
  return 0;
}
